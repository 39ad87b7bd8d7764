"""Every version of an artifact leaves a line; the commands that read a run say what is wrong in it."""

import errno
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.artifacts.__main__ import STALE, main
from pipeline.artifacts.errors import ArtifactError, PublishError
from pipeline.artifacts.history import changes, load_history
from pipeline.artifacts.manifest import Origin, input_record
from pipeline.artifacts.publish import publish


def make(run: Path, folder: str, *, ap: float = 0.5, seed: int = 1, **config: object) -> Path:
    """Publish an artifact that was made from `run/data`, if that is not itself."""
    inputs = {}
    if folder != "data":
        inputs = {"data": input_record(run / "data" / "manifest.json", run)}
    origin = Origin(stage="train", config=config, code=None, inputs=inputs, seed=seed)
    metrics = json.dumps({"AP": ap, "images": 8}).encode()
    publish(run / folder, {"metrics.json": metrics, "w/x.bin": bytes(range(50))}, origin)
    return run / folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for folder in ("data", "detector"):
        make(tmp_path, folder, training={"epochs": 2})
    return tmp_path


def test_a_stage_that_runs_again_leaves_its_former_manifest_and_metrics(run: Path, capsys):
    folder = run / "detector"
    # as Snakemake does before it starts the job again
    (folder / "manifest.json").unlink()
    make(run, "detector", ap=0.75, seed=2, training={"epochs": 3})
    first, second = load_history(folder)
    assert [v.metrics["metrics.json"]["AP"] for v in (first, second)] == [0.5, 0.75]
    assert first.manifest.config == {"training": {"epochs": 2}}
    assert changes(first, second) == ["training.epochs: 2 → 3", "seed: 1 → 2"]
    assert main(["history", str(run)]) == 0
    shown = capsys.readouterr().out
    for part in ("changed: training.epochs: 2 → 3", "AP 0.5000", "AP 0.7500", "seed 2"):
        assert part in shown

    # the same again, as after a crash between the history and the manifest
    make(run, "detector", ap=0.75, seed=2, training={"epochs": 3})
    assert len(load_history(folder)) == 2


def test_the_history_of_a_run_shows_all_where_the_run_itself_is_an_artifact(run: Path, capsys):
    publish(run, {"report.html": b"x"}, Origin(stage="r", config={}, code=None, inputs={}, seed=0))
    assert main(["history", str(run)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert {str(run), f"{run}/data", f"{run}/detector"} <= set(shown)


def test_names_of_any_characters_stay_within_their_line(run: Path, capsys):
    names = ["a\u2028b", "c\u2029d", "\x85", "e\x0b\x0c\x1cf", "g\r\nh"]
    for seed in (2, 3):
        make(run, "detector", seed=seed, classes=names)
    found = load_history(run / "detector")
    assert [version.manifest.config.get("classes") for version in found] == [None, names, names]
    assert main(["history", str(run)]) == 0
    assert "seed 3" in capsys.readouterr().out


def test_a_damaged_history_is_named_and_publishing_goes_on(run: Path, capsys):
    folder = run / "detector"
    (folder / "history.jsonl").write_text('{"version": "1"}\n')
    with pytest.raises(ArtifactError, match=r"history.jsonl, line 1, is not a version"):
        load_history(folder)
    assert main(["history", str(folder)]) == 1
    assert "history.jsonl, line 1" in capsys.readouterr().err
    make(run, "detector", ap=0.6, training={"epochs": 2})
    assert len((folder / "history.jsonl").read_text().splitlines()) == 2


def test_verify_names_every_missing_and_altered_file_with_both_digests(run: Path, capsys):
    assert main(["verify", str(run)]) == 0
    assert capsys.readouterr().out == "2 artifacts, 4 files: all as published\n"
    expected = load_history(run / "data")[0].manifest.files["w/x.bin"]
    (run / "data/w/x.bin").write_bytes(bytes(range(49)))
    (run / "detector/metrics.json").unlink()
    assert main(["verify", str(run)]) == 1
    cut, gone, total, repair = capsys.readouterr().out.splitlines()
    assert repair.startswith("To repair: delete manifest.json")
    assert cut.startswith(f"{run}/data/w/x.bin was altered: expected {expected}, found sha256:")
    assert gone.startswith(f"{run}/detector/metrics.json is missing (expected sha256:")
    assert total == "2 artifacts, 4 files: 2 problems"


def test_verify_tells_stale_from_damaged(run: Path, capsys):
    make(run, "data", training={"epochs": 9})
    assert main(["verify", str(run)]) == STALE
    shown = capsys.readouterr().out
    assert f"{run}/detector is stale" in shown
    assert f"To repair: delete {run}/detector/manifest.json, and give" in shown
    shutil.rmtree(run / "data")
    assert main(["verify", str(run)]) == 1
    assert "data/manifest.json is missing" in capsys.readouterr().out
    (run / "detector/manifest.json").unlink()
    assert main(["verify", str(run)]) == 1
    assert "detector/manifest.json is missing" in capsys.readouterr().out
    empty = run / "empty"
    empty.mkdir()
    assert main(["verify", str(empty)]) == 1
    assert "no stage has published" in capsys.readouterr().err


def test_lineage_shows_config_code_inputs_and_seed_of_all_that_led_there(run: Path, capsys):
    assert main(["lineage", str(run / "detector"), "--config"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(run / "detector")
    assert "stage train, seed 1" in lines[1]
    assert lines[2].strip().startswith("code untracked")
    assert f"  data: {run}/data" in lines
    assert '    config {"training": {"epochs": 2}}' in lines
    make(run, "data", training={"epochs": 9})
    assert main(["lineage", str(run / "detector")]) == 0
    assert "lies there now" in capsys.readouterr().out
    assert main(["lineage", str(run / "nowhere")]) == 1
    assert "nowhere is no folder" in capsys.readouterr().err


def test_a_full_disk_leaves_the_former_version(run: Path, monkeypatch: pytest.MonkeyPatch):
    def snapshot() -> dict[str, bytes]:
        files = (path for path in run.rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in files}

    before = snapshot()
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def refuse(path: Path, content: bytes) -> int:
        raise full

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(PublishError, match=r"cannot write .*: No space left on device"):
        make(run, "detector", ap=0.9, training={"epochs": 4})
    monkeypatch.undo()
    assert snapshot() == before
    assert main(["verify", str(run)]) == 0


def test_a_file_system_that_is_really_full_leaves_the_former_version(tmp_path: Path):
    """On a file system of 256 kB, where one can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting needs rights that this user does not have")
    try:
        origin = Origin(stage="search", config={}, code=None, inputs={}, seed=1)
        publish(disk / "search", {"weights": b"w" * 100_000}, origin)
        with pytest.raises(PublishError, match="No space left on device"):
            publish(disk / "search", {"weights": b"v" * 200_000}, origin)
        assert main(["verify", str(disk)]) == 0
        assert (disk / "search/weights").read_bytes() == b"w" * 100_000
    finally:
        subprocess.run(["umount", str(disk)], check=True)
