"""Tensors between stages: safetensors, never pickle, the same bytes for the same tensors."""

import json
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import unreadable, write_bytes
from pipeline.artifacts.manifest import removed_files

WEIGHTS = "weights.safetensors"
"""The file of the weights that a stage publishes, in whatever folder."""


def save_weights(
    path: Path, state_dict: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named tensors (any shape, type and device) and string metadata, atomically.

    Tensors that share memory are written as separate copies.

    Raises:
        ArtifactError: a value is not a tensor, or a metadata value is not a string.
        PublishError: the system refuses to write; `path` is as before.
    """
    for name, tensor in state_dict.items():
        if not isinstance(tensor, torch.Tensor):
            raise ArtifactError(f"{path}: {name} is a {type(tensor).__name__}, not a tensor")
    for key, value in (metadata or {}).items():
        if not isinstance(value, str):
            raise ArtifactError(f"{path}: metadata {key} is {value!r}, not a string")
    # A copy of each: safetensors refuses tensors that share memory or are not contiguous.
    tensors = {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in state_dict.items()
    }
    # without tensors an empty dictionary of metadata makes safetensors write a header that is not JSON
    write_bytes(
        path, _ordered(safetensors.torch.save(tensors, dict(metadata) if metadata else None))
    )


def _ordered(content: bytes) -> bytes:
    """The same file with sorted metadata: safetensors writes it in a hash map's random order."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header = {"__metadata__": dict(sorted(header.pop("__metadata__", {}).items())), **header}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format wants the data aligned to 8 bytes
    return b"".join((len(text).to_bytes(8, "little"), text, memoryview(content)[start:]))


def pretrained_weights(folder: Path) -> tuple[dict[str, torch.Tensor], Path]:
    """The weights that a pretraining published, or an import; with the file to name in errors.

    Raises:
        ArtifactError: as `load_weights`.
    """
    path = folder / WEIGHTS
    tensors, metadata = load_weights(path)
    return tensors, Path(metadata.get("file", path))


def load_weights(path: Path, prefix: str = "") -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read (tensors by name, on the CPU, in memory of their own; metadata).

    Args:
        path: a safetensors file.
        prefix: only tensors whose names begin so are read; it is cut off.

    Raises:
        ArtifactError: the file is missing, unreadable, cut off or not safetensors.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {
                name.removeprefix(prefix): file.get_tensor(name).clone()
                for name in sorted(file.keys())
                if name.startswith(prefix)
            }
            return tensors, dict(file.metadata() or {})
    except SafetensorError as error:
        raise ArtifactError(f"{path} is cut off or not a safetensors file ({error})") from error
    except OSError as error:
        if path.name in removed_files(path.parent):
            raise ArtifactError(
                f"{path} was removed, since nothing in the run needs it any more; Snakemake makes it "
                "again when it is asked for"
            ) from error
        raise ArtifactError(unreadable(path, error)) from error
