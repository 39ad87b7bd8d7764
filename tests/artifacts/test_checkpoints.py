import errno
import logging
import os
import random
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.artifacts.digest import value_digest
from pipeline.artifacts.errors import ArtifactError, PublishError

ONE, TWO = value_digest(1), value_digest(2)


def checkpoints(work: WorkFolder) -> list[Path]:
    return sorted((work.path / "checkpoints").iterdir())


def test_a_training_state_is_read_back_and_continues_bit_identically(tmp_path: Path) -> None:
    def make() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
        return model, torch.optim.Adam(model.parameters(), lr=0.1)

    def train(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(4, 3) + random.random()).square().mean().backward()
            optimizer.step()

    model, optimizer = make()
    train(model, optimizer)
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": {"python": random.getstate(), "torch": torch.get_rng_state()},
        "alive": OrderedDict(backbone=["ir_k3_d1_e3"], nothing=None),
        "alpha": torch.nn.Parameter(torch.ones(2)),
        1: (2.5, True, b"\x00\xff", 2**100),
    }
    WorkFolder(tmp_path / "work", ONE).save(state, step=3)
    train(model, optimizer)

    checkpoint = WorkFolder(tmp_path / "work", ONE).load_latest()
    assert checkpoint is not None
    assert checkpoint.step == 3
    loaded = checkpoint.state
    assert loaded["alive"] == state["alive"]
    assert loaded[1] == state[1]
    again, again_optimizer = make()
    again.load_state_dict(loaded["model"])
    again_optimizer.load_state_dict(loaded["optimizer"])
    random.setstate(loaded["random"]["python"])
    torch.set_rng_state(loaded["random"]["torch"])
    train(again, again_optimizer)
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_two_checkpoints_are_kept_and_the_older_replaces_a_damaged_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    work = WorkFolder(tmp_path / "work", ONE)
    assert work.load_latest() is None
    for step in (5, 10, 20):
        newest = work.save({"step": step}, step)
    assert len(checkpoints(work)) == 2
    whole = newest.read_bytes()
    newest.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    assert WorkFolder(tmp_path / "work", ONE).load_latest() == (10, {"step": 10})
    assert f"{newest} is damaged" in caplog.text
    # Going on from there, the damaged one is not in the way.
    work.save({"step": 15}, 15)
    assert work.load_latest() == (15, {"step": 15})
    for path in checkpoints(work):
        path.write_bytes(path.read_bytes()[:-1])
    assert work.load_latest() is None
    assert checkpoints(work) == []


def test_another_version_is_not_resumed_and_goes_with_the_first_checkpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "work"
    first = WorkFolder(root, ONE)
    first.save({"a": 1}, 1)
    (root / "notes").mkdir()
    assert WorkFolder(root, TWO).load_latest() is None
    assert "another config, code, inputs or seed: not resumed" in caplog.text
    assert WorkFolder(root, ONE).load_latest() == (1, {"a": 1})
    with caplog.at_level(logging.WARNING):
        WorkFolder(root, TWO).save({"a": 2}, 2)
    assert f"{first.path}, the work of another version, is discarded" in caplog.text
    assert not first.path.exists()
    assert (root / "notes").exists()
    (root / "notes").rmdir()
    WorkFolder(root, TWO).clear()
    assert not root.exists()


def test_a_full_disk_leaves_the_checkpoints(tmp_path: Path, monkeypatch) -> None:
    work = WorkFolder(tmp_path / "work", ONE)
    work.save({"a": torch.ones(3)}, 1)
    work.save({"a": torch.ones(3)}, 2)
    before = checkpoints(work)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(PublishError, match=r"000003_step3_.*No space left on device"):
            work.save({"a": torch.ones(3)}, 3)
    assert checkpoints(work) == before
    # What a killed process left is removed, and never taken for a checkpoint.
    (work.path / "checkpoints" / ".000003_step3_x.pt.1234.tmp").write_bytes(b"half")
    checkpoint = WorkFolder(tmp_path / "work", ONE).load_latest()
    assert checkpoint is not None and checkpoint.step == 2
    assert checkpoints(work) == before


class Trap:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("trap",)


def test_what_could_not_be_read_back_is_refused_and_never_run(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    work = WorkFolder(tmp_path / "work", ONE)
    with pytest.raises(ArtifactError, match=r"state\['a'\]\[1\] is of type .*Trap; allowed are"):
        work.save({"a": [1, Trap()]}, 1)
    monkeypatch.setattr("pipeline.artifacts.checkpoints._fault", lambda state: None)
    path = work.save({"a": Trap()}, 1)
    with pytest.raises(ArtifactError, match=f"{path} is not a checkpoint of this project"):
        work.load_latest()
    assert not (tmp_path / "trap").exists()
