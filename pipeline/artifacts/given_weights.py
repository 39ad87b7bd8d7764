"""Weights that a user gives: a safetensors file, or a PyTorch checkpoint of which no code is run."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.serialization import safe_globals

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import unreadable
from pipeline.artifacts.weights import load_weights

SAFETENSORS = (".safetensors",)
PYTORCH = (".pth", ".pt", ".ckpt", ".bin")
WRAPPERS = ("state_dict", "model", "model_state_dict")
"""Keys under which training programs put the weights beside their own state."""

BESIDE_WEIGHTS = (
    "mmengine.logging.history_buffer.HistoryBuffer",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
    "builtins.getattr",
)
"""What mmengine keeps beside the weights, curves of the training. All of it is read as `_Nothing`."""


class _Nothing:
    """Stands for what is not read, so that nothing of it runs; it takes any arguments and any state."""

    def __new__(cls, *_: Any) -> _Nothing:
        return super().__new__(cls)

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the weights of a backbone, on the CPU.

    A checkpoint of a whole detector is taken too: of names that begin with `backbone.` only those are
    kept, without that beginning.

    Raises:
        ArtifactError: as `read_tensors`.
    """
    weights = read_tensors(path)
    own = {
        name.removeprefix("backbone."): value
        for name, value in weights.items()
        if name.startswith("backbone.")
    }
    return own or weights


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the weights of a network, on the CPU; a data-parallel model's `module.` is dropped.

    Raises:
        ArtifactError: the file is missing, cut off, of another kind, would need to run code to be
            read, or holds something else than finite tensors by name.
    """
    if path.suffix in SAFETENSORS:
        content: Any = load_weights(path)[0]
    elif path.suffix in PYTORCH:
        content = _unpickled(path)
    else:
        raise ArtifactError(
            f"{path} is no checkpoint: its name must end in {', '.join(SAFETENSORS + PYTORCH)}"
        )
    return {name.removeprefix("module."): value for name, value in _tensors(content, path).items()}


def _unpickled(path: Path) -> Any:
    try:
        path.open("rb").close()
    except OSError as error:
        raise ArtifactError(unreadable(path, error)) from error
    _refuse_compressed(path)
    try:
        with safe_globals([(_Nothing, name) for name in BESIDE_WEIGHTS]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ArtifactError(
            f"{path} cannot be read: it is cut off, is no PyTorch checkpoint, or holds more than tensors "
            f"and plain values, which would run code (weights_only=True refuses it). Save its state_dict "
            f"alone, best as safetensors. ({str(error).splitlines()[0]})"
        ) from error
    # torch's reader raises whatever the bytes led it to, of a file cut off an OSError too
    except (
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        raise ArtifactError(
            f"{path} is cut off or not a PyTorch checkpoint ({str(error).splitlines()[0]})"
        ) from error


def _refuse_compressed(path: Path) -> None:
    """Refuse a checkpoint that would unpack to more than its own size; PyTorch compresses none."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ArtifactError(f"{path} is cut off or not a PyTorch checkpoint ({error})") from error
    if any(record.compress_type != zipfile.ZIP_STORED for record in records):
        raise ArtifactError(
            f"{path} is compressed, and says to hold {sum(each.file_size for each in records)} bytes; "
            "PyTorch writes checkpoints without compression: save it anew"
        )


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not content:
        found = "nothing" if isinstance(content, Mapping) else f"a {type(content).__name__}"
        raise ArtifactError(f"{path} holds {found}, not tensors by name")
    wrong = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if wrong:
        raise ArtifactError(f"{path}: {_some(wrong)} no tensor, and weights are tensors by name")
    # an expanded tensor repeats few numbers without end: any use of it would take its full size
    size = path.stat().st_size
    claims = [name for name, value in content.items() if value.nbytes > size]
    if claims:
        bytes_claimed = sum(content[name].nbytes for name in claims)
        raise ArtifactError(
            f"{path} has {size} bytes, but {_some([str(name) for name in claims])} said to hold "
            f"{bytes_claimed} bytes; save every tensor in full (tensor.contiguous())"
        )
    infinite = [
        name
        for name, value in content.items()
        if value.is_floating_point() and not bool(value.isfinite().all())
    ]
    if infinite:
        raise ArtifactError(f"{path}: {_some(infinite)} not finite (NaN or infinity)")
    return dict(content)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{', '.join(names[:5])}{more} {'is' if len(names) == 1 else 'are'}"
