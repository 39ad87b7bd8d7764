"""A checkpoint that holds code is refused wherever a checkpoint is accepted, and its code never runs."""

import ast
import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from workflow_project import ROOT

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.artifacts.digest import bytes_digest, value_digest
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.given_weights import PYTORCH, SAFETENSORS, read_checkpoint
from pipeline.artifacts.weights import load_weights, pretrained_weights
from pipeline.errors import DetSearchError


class Trap:
    """Makes the folder `trap` when it is unpickled."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("trap",)


def saved(**options: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": {"a": torch.ones(2)}, "meta": Trap()}, buffer, **options)
    return buffer.getvalue()


MALICIOUS = {
    "zip": saved(),
    "legacy": saved(_use_new_zipfile_serialization=False),
    **{f"pickle {k}": pickle.dumps({"a": Trap()}, protocol=k) for k in (0, 2, 4, 5)},
}


def given(suffix: str) -> Callable[[Path, bytes], object]:
    """A user's checkpoint of a backbone, a supernet or a detector."""

    def load(folder: Path, content: bytes) -> object:
        (folder / f"given{suffix}").write_bytes(content)
        return read_checkpoint(folder / f"given{suffix}")

    return load


def published(folder: Path, content: bytes) -> object:
    (folder / "weights.safetensors").write_bytes(content)
    return load_weights(folder / "weights.safetensors")


def pretrained(folder: Path, content: bytes) -> object:
    (folder / "weights.safetensors").write_bytes(content)
    return pretrained_weights(folder)


def resumed(folder: Path, content: bytes) -> object:
    """A stage's own checkpoint, with the digest that its name must hold."""
    work = WorkFolder(folder / "work", value_digest(1))
    digest = bytes_digest(content).removeprefix("sha256:")
    (work.path / "checkpoints" / f"000001_step1_{digest}.pt").write_bytes(content)
    return work.load_latest()


def detector(folder: Path, content: bytes) -> object:
    """mmengine's way to a detector folder's weights, which `mmdet.apis.init_detector` takes."""
    from mmengine.runner.checkpoint import CheckpointLoader

    from pipeline.detection import plugin  # noqa: F401

    (folder / "weights.safetensors").write_bytes(content)
    return CheckpointLoader.load_checkpoint(str(folder / "weights.safetensors"))


DOORS = {
    **{f"given{suffix}": given(suffix) for suffix in (*PYTORCH, *SAFETENSORS)},
    "weights of a stage": published,
    "weights of a pretraining": pretrained,
    "checkpoint in work": resumed,
    "detector folder": detector,
}


@pytest.mark.parametrize("content", MALICIOUS.values(), ids=MALICIOUS)
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_code_in_a_checkpoint_is_refused_and_never_runs(
    door: Callable, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactError) as caught:
        door(tmp_path, content)
    assert isinstance(caught.value, DetSearchError)
    assert str(tmp_path) in str(caught.value)
    assert not (tmp_path / "trap").exists()


def test_the_trap_would_spring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.load(io.BytesIO(MALICIOUS["zip"]), weights_only=False)
    assert (tmp_path / "trap").exists()


LOADERS = {
    ("torch", "load"),
    ("pickle", "load"),
    ("pickle", "loads"),
    ("joblib", "load"),
    ("yaml", "load"),
    ("yaml", "unsafe_load"),
    ("CheckpointLoader", "load_checkpoint"),
    ("torch", "jit"),
}


@pytest.mark.parametrize("folder", ["pipeline", "rules", "benchmarks"])
def test_every_loader_in_the_project_is_told_to_run_nothing(folder: str) -> None:
    """Every call of `torch.load` says `weights_only=True`, and nothing else unpickles."""
    found, allowed = [], 0
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            place = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.ImportFrom) and node.module in ("torch", "pickle", "yaml"):
                found += [place for alias in node.names if alias.name in ("load", "loads")]
            if not isinstance(node, ast.Call):
                continue
            options = {item.arg: ast.unparse(item.value) for item in node.keywords}
            if options.get("allow_pickle", "False") != "False":
                found.append(place)
            match node.func:
                case ast.Attribute(value=ast.Name(id=module), attr=name):
                    if (module, name) not in LOADERS:
                        continue
                    if (module, name) == ("torch", "load") and options.get(
                        "weights_only"
                    ) == "True":
                        allowed += 1
                    else:
                        found.append(place)
    assert found == []
    if folder == "pipeline":
        assert allowed >= 2
