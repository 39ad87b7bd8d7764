"""The user's own files that a stage reads: other content under the same name is another version."""

import json
from pathlib import Path

import pytest
import torch

from pipeline.artifacts.__main__ import main
from pipeline.artifacts.check import check_run
from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.config.data import EmbeddedDetection
from pipeline.data.embedded import write_detection
from pipeline.runner.stage import stage_main
from pipeline.stages import import_weights, prepare_detection_data


def imported(file: Path, run: Path) -> Manifest:
    """The manifest of the weights that a file holds now."""
    out = run / "weights"
    stage_main(
        import_weights.run,
        import_weights.Settings,
        files=import_weights.given_file,
        argv=[
            *("--settings", json.dumps({"file": str(file)})),
            *("--manifest", str(out / MANIFEST), "--run-folder", str(run)),
        ],
    )
    return Manifest.load(out / MANIFEST)


def test_weights_changed_in_place_are_another_version(tmp_path: Path) -> None:
    file = tmp_path / "own.pth"
    torch.save({"x": torch.zeros(2)}, file)
    first = imported(file, tmp_path / "run")
    assert imported(file, tmp_path / "run").version == first.version
    torch.save({"x": torch.ones(2)}, file)
    assert imported(file, tmp_path / "run").version != first.version
    assert first.inputs["file"].path == str(file)


def test_the_check_of_a_run_says_when_a_file_of_the_user_has_changed_or_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, run = tmp_path / "own.pth", tmp_path / "run"
    torch.save({"x": torch.zeros(2)}, file)
    imported(file, run)
    check = check_run(run)
    assert (check.problems, check.stale, check.absent) == ([], [], [])
    torch.save({"x": torch.ones(2)}, file)
    (stale,) = check_run(run).stale
    assert str(file) in stale
    file.unlink()
    (absent,) = check_run(run).absent
    assert str(file) in absent and check_run(run).problems == []
    assert main(["verify", str(run)]) == 0
    assert absent in capsys.readouterr().out


def test_annotations_changed_in_place_are_another_version(tmp_path: Path) -> None:
    few = EmbeddedDetection(train_images=10, val_images=4, image_size=64, object_size=(16, 40))
    write_detection(few, tmp_path)
    own = {
        split: {
            "annotations": str(tmp_path / f"annotations/{split}.json"),
            "images": str(tmp_path / f"images/{split}"),
        }
        for split in ("train", "val")
    }
    settings = {"dataset": {"source": "coco", "coco": own}}
    out = tmp_path / "run/data"

    def prepared() -> str:
        stage_main(
            prepare_detection_data.run,
            prepare_detection_data.Settings,
            files=prepare_detection_data.annotation_files,
            argv=["--settings", json.dumps(settings), "--manifest", str(out / MANIFEST)],
        )
        return Manifest.load(out / MANIFEST).version

    first = prepared()
    assert prepared() == first
    file = tmp_path / "annotations/val.json"
    content = json.loads(file.read_text())
    content["annotations"].pop()
    file.write_text(json.dumps(content))
    assert prepared() != first
