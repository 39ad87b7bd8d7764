"""Files of weights that claim more than they hold are refused before memory is taken."""

import json
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.given_weights import read_tensors

GIB = 2**30
HUGE = 2**32
"""Numbers of 4 bytes: 16 GiB."""


def _safetensors(header: dict[str, Any], length: int | None = None) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        text = json.dumps(header).encode()
        size = len(text) if length is None else length
        path.write_bytes(size.to_bytes(8, "little") + text + bytes(1500))

    return write


def _expanded(path: Path) -> None:
    torch.save({"weight": torch.zeros(1).expand(HUGE)}, path)


def _deflated(path: Path) -> None:
    torch.save({"weight": torch.zeros(1000)}, path)
    with zipfile.ZipFile(path) as archive:
        records = {record.filename: archive.read(record) for record in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in records.items():
            archive.writestr(name, content)


def _tensor(shape: list[int], end: int) -> dict[str, Any]:
    return {"weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}


@pytest.mark.parametrize(
    ("name", "write", "reason"),
    [
        ("a.safetensors", _safetensors(_tensor([HUGE], 4 * HUGE)), "cut off or not a safetensors"),
        ("a.safetensors", _safetensors(_tensor([HUGE], 0)), "cut off or not a safetensors"),
        ("a.safetensors", _safetensors({}, 16 * GIB), "cut off or not a safetensors"),
        ("a.safetensors", _safetensors({}, 99_000_000), "cut off or not a safetensors"),
        ("a.pth", _expanded, f"weight is said to hold {4 * HUGE} bytes; save every tensor in full"),
        ("a.pth", _deflated, "is compressed, and says to hold"),
    ],
)
def test_a_small_file_that_claims_much_is_refused(
    tmp_path: Path, name: str, write: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / name
    write(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ArtifactError) as caught:
        read_tensors(path)
    assert reason in str(caught.value) and str(path) in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**19, "KiB"


def test_shared_and_transposed_tensors_are_read(tmp_path: Path) -> None:
    weight = torch.arange(6.0).reshape(2, 3)
    torch.save({"a": weight, "b": weight.T, "c": weight[0]}, tmp_path / "a.pth")
    found = read_tensors(tmp_path / "a.pth")
    assert torch.equal(found["a"], weight) and torch.equal(found["b"], weight.T)
