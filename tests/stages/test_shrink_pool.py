"""The phases of the pool as stages: what phase 0 publishes is sorted, and the next begins as its teacher."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.artifacts.manifest import Manifest, verify
from pipeline.config.root import Config, load_config
from pipeline.config.sections import changed, sections
from pipeline.detection.builder import Surroundings
from pipeline.runner.stage import stage_main
from pipeline.stages import import_weights, prepare_detection_data, shrink_pool
from pipeline.teacher_pool.pool import load_pool

pytestmark = pytest.mark.slow

VALUES = {
    "data": {
        "detection": {
            "source": "embedded",
            "embedded": {
                "image_size": 64,
                "train_images": 12,
                "val_images": 2,
                "object_size": [12, 40],
            },
        }
    },
    "detector": {
        "image_scale": [64, 64],
        "flip": 0.0,
        "rpn_samples": 16,
        "proposals": 20,
        "roi_samples": 8,
    },
    "testing": {"proposals": 20},
    "teacher_pool": {
        "space": {
            "block": "basic",
            "base_channels": 4,
            "neck_channels": 8,
            "rpn_channels": 8,
            "anchor_scale": 4,
            "roi_size": 3,
            "head_fc_channels": 16,
            "least_depths": [1, 1, 1, 1],
            "greatest_depths": [2, 2, 2, 2],
            "resolutions": [[64, 64]],
        },
        "phases": [
            {"epochs": 1, "batch_size": 4, "least_depths": [2, 2, 2, 2], "widths": [1.5]},
            {
                "epochs": 1,
                "batch_size": 4,
                "least_depths": [1, 1, 1, 1],
                "widths": [1.0, 1.25, 1.5],
            },
        ],
        "recalibration": {"images": 8, "batch_size": 4},
    },
}
CONFIG = load_config(VALUES)


def _phase(
    run: Path, number: int, config: Config = CONFIG, start: Path | None = None, **freezing: Any
) -> Path:
    pool = config.teacher_pool
    chosen = sections(
        config,
        "normalization",
        "detector",
        "testing",
        space="teacher_pool.space",
        recalibration="teacher_pool.recalibration",
        constants={
            "phase": pool.phases[number].model_dump(mode="json"),
            "distillation": pool.distillation.model_dump(mode="json") if number else None,
            **({"freezing": freezing} if freezing else {}),
        },
    )
    out = run / ("started" if start else f"phase_{number}")
    argv = ["--settings", chosen, "--data", str(run / "data/manifest.json")]
    if number:
        argv += ["--former", str(run / f"phase_{number - 1}/manifest.json")]
        argv += ["--largest", str(run / "phase_0/manifest.json")]
    argv += ["--backbone", str(start)] if start else []
    argv += ["--manifest", str(out / "manifest.json"), "--run-folder", str(run), "--threads", "1"]
    stage_main(
        shrink_pool.run,
        shrink_pool.Settings,
        inputs=("data",),
        optional_inputs=("former", "largest", "backbone"),
        argv=argv,
    )
    return out


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its data and phase 0."""
    folder = tmp_path_factory.mktemp("run")
    stage_main(
        prepare_detection_data.run,
        prepare_detection_data.Settings,
        argv=[
            *("--settings", sections(CONFIG, constants=None, dataset="data.detection")),
            *("--manifest", str(folder / "data/manifest.json"), "--run-folder", str(folder)),
        ],
    )
    _phase(folder, 0)
    return folder


def test_what_phase_0_publishes_is_sorted(run: Path) -> None:
    elastic = load_pool(run / "phase_0", Surroundings(CONFIG.detector))
    before = {name: value.clone() for name, value in elastic.model.state_dict().items()}
    elastic.sort_channels()
    for name, value in elastic.model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_later_phase_is_published_with_both_ends_of_the_pool(run: Path) -> None:
    out = _phase(run, 1)
    assert verify(out) == []
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["largest"]["params"] > metrics["smallest"]["params"] > 0
    history = json.loads((out / "history.json").read_text())["records"]
    assert any("loss_kd_features" in record for record in history)
    elastic = load_pool(out, Surroundings(CONFIG.detector))
    assert elastic.space.size() == 2**4 * 3**5


def test_too_few_images_for_the_statistics_are_told_before_the_training(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = changed(CONFIG, {"teacher_pool.recalibration.images": 1000})
    with pytest.raises(SystemExit) as end:
        _phase(run, 1, more)
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert "recalibration.images is 1000, but there are only" in said
    assert "epoch" not in said


def _imported(run: Path, weights: dict[str, torch.Tensor]) -> Path:
    """The manifest of given weights, read by their stage."""
    given, manifest = run / "given.pth", run / "given/manifest.json"
    torch.save({"state_dict": weights}, given)
    stage_main(
        import_weights.run,
        import_weights.Settings,
        files=import_weights.given_file,
        argv=[
            *("--settings", json.dumps({"file": str(given)})),
            *("--manifest", str(manifest), "--run-folder", str(run)),
        ],
    )
    return manifest


def _levels(run: Path) -> list[torch.Tensor]:
    """Of a phase's largest net, the mean of each channel of each feature map, in rising order."""
    model = load_pool(run, Surroundings(CONFIG.detector)).model.eval()
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return [level.mean(dim=(0, 2, 3)).sort().values for level in model.backbone(images)]


def test_phase_0_starts_from_given_weights_and_leaves_what_is_frozen(run: Path) -> None:
    """A backbone that is frozen whole stays the function that was given, but for the order of channels."""
    weights = load_pool(run / "phase_0", Surroundings(CONFIG.detector)).model.state_dict()
    start = _imported(run, weights)
    out = _phase(run, 0, start=start, frozen_stages=4)
    for ours, given in zip(_levels(out), _levels(run / "phase_0"), strict=True):
        torch.testing.assert_close(ours, given)
    trained = load_pool(out, Surroundings(CONFIG.detector)).model.state_dict()
    head = "roi_head.bbox_head.fc_cls.weight"
    assert not torch.equal(trained[head], weights[head])
    version = Manifest.load(out / "manifest.json").version
    weights["backbone.bn1.bias"] += 1
    _imported(run, weights)
    assert (
        Manifest.load(_phase(run, 0, start=start, frozen_stages=4) / "manifest.json").version
        != version
    )
