"""From the config to supernets: shapes, what each component holds, names of layers, the two halves."""

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.artifacts.files import write_json
from pipeline.artifacts.weights import save_weights
from pipeline.config.data import EmbeddedDetection
from pipeline.config.detector import DetectorConfig
from pipeline.config.hit_detector import Defaults, ScreeningConfig, SearchConfig
from pipeline.config.supernet import SupernetConfig
from pipeline.data.prepare import prepare_detection
from pipeline.detection.builder import Surroundings, build_backbone, build_detector
from pipeline.errors import DetSearchError
from pipeline.hit_detector.detection import SupernetData, detection_supernet
from pipeline.hit_detector.spaces import (
    component_choices,
    screening_architecture,
    screening_operations,
    supernet_architecture,
)
from pipeline.search_space.architecture import COMPONENTS, BlockBackbone

SHAPE = SupernetConfig(
    input_size=(64, 64),
    stem_channels=4,
    channels=(4, 6, 6, 8),
    screening_depth=(1, 2, 1, 1),
    neck_channels=6,
    rpn_channels=6,
    head_blocks=3,
    head_fc_channels=8,
    roi_size=3,
)
SCREENING = ScreeningConfig.model_validate(
    {
        "candidates": ["conv_k3_d1", "sep_k3_d1", "ir_k3_d1_e1"],
        "keep": {"backbone": 2, "neck": 2, "head": 2},
        "defaults": {"neck": "sep_k5_d1", "head": "conv_k5_d1"},
    }
)


def test_every_block_holds_its_component_s_operations() -> None:
    operations = {
        "backbone": ["conv_k3_d1", "sep_k3_d1"],
        "neck": "sep_k5_d1",
        "head": ["conv_k5_d1"],
    }
    architecture = supernet_architecture(SHAPE, 7, (1, 2, 3, 1), operations)
    assert architecture.classes == 7
    assert isinstance(architecture.backbone, BlockBackbone)
    assert [len(stage) for stage in architecture.backbone.stages] == [1, 2, 3, 1]
    assert architecture.backbone.out_channels == (4, 6, 6, 8)
    assert len(architecture.blocks("head")) == 3 and architecture.neck.channels == 6
    for component, expected in operations.items():
        held = {block.operation for block in architecture.blocks(component).values()}
        assert held == {expected if isinstance(expected, str) else tuple(expected)}
    with pytest.raises(ValueError, match="neck, head"):
        supernet_architecture(SHAPE, 7, (1, 1, 1, 1), {"backbone": "conv_k3_d1"})


def _screened(folder: Path, kept: list[str]) -> Path:
    write_json(folder / "sub_search_space.json", {"kept": kept})
    return folder


def test_components_are_screened_in_sequence(tmp_path: Path) -> None:
    """Candidates where one is screened, sub spaces before it, defaults after it."""
    candidates = ("conv_k3_d1", "sep_k3_d1", "ir_k3_d1_e1")
    backbone = _screened(tmp_path / "backbone", ["sep_k3_d1", "conv_k3_d1"])
    neck = _screened(tmp_path / "neck", ["ir_k3_d1_e1"])
    assert screening_operations(("backbone",), SCREENING, {}) == {
        "backbone": candidates,
        "neck": "sep_k5_d1",
        "head": "conv_k5_d1",
    }
    assert screening_operations(("neck",), SCREENING, {"backbone": backbone}) == {
        "backbone": ("sep_k3_d1", "conv_k3_d1"),
        "neck": candidates,
        "head": "conv_k5_d1",
    }
    assert screening_operations(("head",), SCREENING, {"backbone": backbone, "neck": neck}) == {
        "backbone": ("sep_k3_d1", "conv_k3_d1"),
        "neck": ("ir_k3_d1_e1",),
        "head": candidates,
    }
    with pytest.raises(DetSearchError, match="neck needs the screened backbone"):
        screening_operations(("neck",), SCREENING, {})


@pytest.mark.parametrize("family", ["faster_rcnn", "retinanet"])
def test_choice_layers_go_by_the_names_of_the_architecture_s_blocks(family: str) -> None:
    shape = SHAPE.model_copy(update={"family": family})
    architecture = screening_architecture(shape, SCREENING.candidates)
    # of a one-stage detector three layers in each tower
    assert len(architecture.blocks("head")) == (6 if family == "retinanet" else 3)
    choices = component_choices(build_detector(architecture, Surroundings()))
    assert list(choices) == list(COMPONENTS)
    for component, layers in choices.items():
        blocks = architecture.blocks(component)
        assert list(layers) == list(blocks)
        for name, layer in layers.items():
            assert (layer.names, layer.out_channels, layer.stride) == (
                blocks[name].operation,
                blocks[name].channels,
                blocks[name].stride,
            )


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    prepare_detection(
        EmbeddedDetection(image_size=64, object_size=(12, 40), train_images=11, val_images=2),
        folder,
    )
    return folder


def _numbers(batch: Any) -> set[int]:
    return {sample.img_id for sample in batch["data_samples"]}


def test_weights_and_architecture_see_disjoint_halves(digits: Path) -> None:
    around = Surroundings(detector=DetectorConfig(image_scale=(64, 64)))
    settings = SearchConfig(batch_size=1, epochs=1, architecture_from_epoch=1)
    data = SupernetData.load(digits, around, settings, seed=4)
    assert data.classes == tuple("0123456789")
    halves = []
    for stream in data.streams:
        seen: set[int] = set()
        for batch in stream.starting_at(0, stream.epoch_length):
            seen |= _numbers(batch)
            assert batch["inputs"][0].shape == (3, 64, 64)
        halves.append(seen)
    assert [len(half) for half in halves] == [6, 5]
    assert halves[0] | halves[1] == set(range(1, 12))


def test_a_screening_supernet_starts_from_the_pretrained_backbone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    pretrained = build_backbone(screening_architecture(SHAPE, SCREENING.candidates))
    weights = pretrained.state_dict()
    save_weights(tmp_path / "weights.safetensors", weights)
    supernet = detection_supernet(
        SHAPE,
        SHAPE.screening_depth,
        {
            "backbone": ("ir_k3_d1_e1", "conv_k3_d1"),
            "neck": ("conv_k3_d1",),
            "head": Defaults().head,
        },
        Surroundings(),
        classes=3,
        backbone=tmp_path,
        paths={"backbone": 1, "neck": 2, "head": None},
        device=torch.device("cpu"),
    )
    # the head holds one operation: nothing to choose there
    assert {component: len(layers) for component, layers in supernet.choices.items()} == {
        "backbone": 5,
        "neck": 8,
    }
    loaded: Any = supernet.model
    for name, value in loaded.backbone.state_dict().items():
        if not name.endswith(("alpha", "alive")):
            assert torch.equal(value, weights[name]), name
    for component, paths in (("backbone", 1), ("neck", 2)):
        for layer in supernet.choices[component]:
            assert (layer.paths, layer.execution) == (paths, SHAPE.execution)
