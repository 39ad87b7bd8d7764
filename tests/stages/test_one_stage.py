"""The stages on a one-stage detector: its head is screened, searched, derived, trained and evaluated."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.apis import init_detector

from pipeline.artifacts.manifest import Manifest, Origin, verify
from pipeline.artifacts.publish import publish
from pipeline.config.base import NoSettings
from pipeline.config.evaluation import Evaluating
from pipeline.config.hit_detector import DifferentiableSearch
from pipeline.config.root import load_config
from pipeline.config.sections import sections
from pipeline.runner.stage import stage_main
from pipeline.search_space.architecture import COMPONENTS, Architecture
from pipeline.stages import (
    derive,
    evaluate,
    predict_for_server,
    prepare_detection_data,
    screen,
    search,
    train_detector,
)

pytestmark = pytest.mark.slow

CANDIDATES = ["conv_k3_d1", "sep_k3_d1", "ir_k3_d1_e1", "sep_k5_d1"]
TRAINING = {"epochs": 1, "batch_size": 4, "log_interval": 1}
ALTERNATION = TRAINING | {"architecture_from_epoch": 1, "architecture_lr": 0.1, "paths": 2}
EMBEDDED = {"image_size": 64, "train_images": 16, "val_images": 2, "object_size": [12, 40]}
CONFIG = load_config(
    {
        "data": {"detection": {"source": "embedded", "embedded": EMBEDDED}},
        "supernet": {
            "family": "retinanet",
            "input_size": [64, 64],
            "stem_channels": 4,
            "channels": [4, 6, 8, 8],
            "screening_depth": [1, 1, 1, 1],
            "depth": [1, 1, 2, 1],
            "neck_channels": 8,
            "anchor_scale": 2,
            "head_blocks": 2,
        },
        "detector": {"image_scale": [64, 64], "flip": 0.0},
        "screening": ALTERNATION
        | {"candidates": CANDIDATES, "keep": {"backbone": 2, "neck": 2, "head": 2}},
        "search": ALTERNATION,
        "training": TRAINING | {"optimizer": {"type": "adamw", "lr": 0.002}},
        "evaluation": {"timed_images": 1},
    }
)
EVALUATING = CONFIG.evaluation.model_dump(mode="json", include=set(Evaluating.model_fields))


def _stage(module: Any, run: Path, out: str, chosen: str, *argv: str, **further: Any) -> Path:
    paths = ["--manifest", str(run / out / "manifest.json"), "--run-folder", str(run)]
    arguments = ["--settings", chosen, *argv, *paths]
    settings = getattr(module, "Settings", NoSettings)
    stage_main(module.run, settings, argv=arguments, **further)
    assert verify(run / out) == []
    return run / out


def _input(run: Path, name: str, folder: str) -> tuple[str, str]:
    return f"--{name}", str(run / folder / "manifest.json")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its data, and the screenings of backbone and neck."""
    folder = tmp_path_factory.mktemp("run")
    _stage(prepare_detection_data, folder, "data", sections(CONFIG, dataset="data.detection"))
    for component, kept in (("backbone", CANDIDATES[:2]), ("neck", CANDIDATES[1:3])):
        content = json.dumps({"kept": kept}).encode()
        origin = Origin(stage="screen", config={}, code=None, inputs={}, seed=0)
        publish(folder / component, {"sub_search_space.json": content}, origin)
    return folder


def test_a_one_stage_detector_goes_through_the_stages(run: Path) -> None:
    data, around = _input(run, "data", "data"), ("supernet", "normalization", "detector")
    spaces = [*_input(run, "backbone", "backbone"), *_input(run, "neck", "neck")]
    _stage(
        screen,
        run,
        "head",
        sections(CONFIG, *around, "screening", constants={"component": "head"}),
        *(*data, *spaces),
        inputs=("data",),
        optional_inputs=("supernet", "backbone", "neck"),
    )
    space = json.loads((run / "head/sub_search_space.json").read_text())
    assert len(space["kept"]) == len(space["removed"]) == 2
    # probabilities, whose mean over the layers of both towers is the score
    living = [space["scores"][name] for name in space["kept"]]
    assert sum(living) == pytest.approx(1) and living[0] >= living[1]

    differentiable = CONFIG.search.model_dump(
        mode="json", include=set(DifferentiableSearch.model_fields)
    )
    _stage(
        search,
        run,
        "search",
        sections(CONFIG, *around, constants={"search": differentiable}),
        *(*data, *spaces, *_input(run, "head", "head")),
        inputs=("data", *COMPONENTS),
        optional_inputs=("supernet",),
    )
    layers = json.loads((run / "search/scores.json").read_text())["components"]["head"]["layers"]
    assert [layer["name"] for layer in layers] == [
        f"{tower}{number}" for tower in ("class_tower", "box_tower") for number in (1, 2)
    ]
    # each tower's layer has its own choice
    assert len({tuple(layer["probabilities"]) for layer in layers}) == 4
    # the expected cost that was logged last is that of the searched parts, on all levels
    history = json.loads((run / "search/history.json").read_text())["records"]
    assert 0 < history[-1]["expected_gmacs"] < 0.1

    _stage(derive, run, "derived", "{}", *_input(run, "search", "search"), inputs=("search",))
    network = Architecture.load(run / "derived/architecture.json")
    assert {b.operation for b in network.blocks("head").values()} <= set(space["kept"])

    detector = ("normalization", "detector", "testing")
    _stage(
        train_detector,
        run,
        "detector",
        sections(CONFIG, *detector, "training"),
        *(*data, *_input(run, "architecture", "derived")),
        inputs=("data", "architecture"),
        optional_inputs=("backbone",),
    )
    model: Any = init_detector(
        str(run / "detector/config.py"), str(run / "detector/weights.safetensors"), device="cpu"
    )
    towers = [model.bbox_head.class_tower, model.bbox_head.box_tower]
    assert [len(tower) for tower in towers] == [2, 2]
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())

    _stage(
        evaluate,
        run,
        "evaluation",
        sections(
            CONFIG,
            *detector,
            proposals="supernet.proposals",
            constants={"evaluation": EVALUATING},
        ),
        *(*data, *_input(run, "detector", "detector")),
        inputs=("data", "detector"),
    )
    metrics = json.loads((run / "evaluation/metrics.json").read_text())
    assert list(metrics["components"]) == list(COMPONENTS) and metrics["proposals"] is None
    assert metrics["params"] == sum(p.numel() for p in model.parameters())

    # the same images without their annotations: what COCO's server is given is what was evaluated
    split = metrics["split"]
    content = json.loads((run / f"data/annotations/{split}.json").read_text())
    listed = run / "image_info_mine.json"
    listed.write_text(json.dumps({"images": content["images"]}))
    given = {"annotations": str(listed), "images": str(run / f"data/images/{split}")}
    constants: dict[str, Any] = {"split": given, "verify_images": "decode", "name": "run-detector"}
    constants["evaluation"] = EVALUATING
    server = _stage(
        predict_for_server,
        run,
        "server",
        sections(CONFIG, *detector, constants=constants),
        *(*data, *_input(run, "detector", "detector")),
        inputs=("data", "detector"),
        files=predict_for_server.files,
    )
    found = json.loads((server / "detections_mine_run-detector_results.json").read_text())
    assert found == json.loads((run / "evaluation/detections.json").read_text())
    manifest = Manifest.load(server / "manifest.json")
    assert set(manifest.inputs) == {"data", "detector", "images"}
