import os
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.weights import load_weights, save_weights

METADATA = {key: f"value {key}" for key in "qwertzuiop"}


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    base = torch.randn(4, 6)
    return {
        "z.weight": base,
        "a.transposed": base.t(),
        "b.shared": base[1:3],
        "half": base.to(torch.bfloat16),
        "scalar": torch.tensor(7),
        "mask": base > 0,
        "none": torch.empty(0, 3),
        "image": base.reshape(1, 2, 3, 4).to(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(base),
    }


def test_weights_are_read_back_equal_and_unshared(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, tensors(), METADATA)
    loaded, metadata = load_weights(path)
    assert metadata == METADATA
    assert loaded.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert torch.equal(loaded[name], tensor)
        assert loaded[name].dtype == tensor.dtype
    assert safetensors.torch.load_file(path).keys() == loaded.keys()
    loaded["z.weight"].zero_()
    assert loaded["b.shared"].any()
    assert torch.equal(load_weights(path)[0]["z.weight"], tensors()["z.weight"])


def test_equal_tensors_give_equal_bytes(tmp_path: Path) -> None:
    # Left to itself, safetensors writes metadata in another order at each call.
    for number in range(5):
        reverse = reversed if number % 2 else iter
        entries, metadata = dict(reverse(tensors().items())), dict(reverse(METADATA.items()))
        save_weights(tmp_path / str(number), entries, metadata)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


class Trap:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("trap",)


def test_foreign_files_are_refused_by_name(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.safetensors"
    save_weights(path, {"a": torch.ones(100)})
    whole = path.read_bytes()
    torch.save({"a": Trap()}, tmp_path / "torch.pt")
    foreign = [
        b"",
        whole[:5],
        whole[:50],
        whole[:-1],
        whole + b"x",
        pickle.dumps(Trap()),
        (tmp_path / "torch.pt").read_bytes(),
    ]
    for content in foreign:
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=f"{path} is cut off or not a safetensors file"):
            load_weights(path)
    assert not (tmp_path / "trap").exists()
    path.unlink()
    with pytest.raises(ArtifactError, match=f"{path} is missing"):
        load_weights(path)
    with pytest.raises(ArtifactError, match="epoch is a int, not a tensor"):
        save_weights(path, {"epoch": 3})  # type: ignore[dict-item]
    assert not path.exists()
