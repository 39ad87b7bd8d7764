"""One-shot scores: what the derived network, built and recalibrated on its own, gets on the same images."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.artifacts.weights import WEIGHTS, save_weights
from pipeline.config.data import EmbeddedDetection
from pipeline.config.detector import DetectorConfig
from pipeline.config.detector import TestingConfig as Selection
from pipeline.config.supernet import SupernetConfig
from pipeline.data.prepare import prepare_detection
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.evaluation import coco_metrics, detect
from pipeline.detection.loss import detection_loss
from pipeline.detection.recalibration import recalibrate
from pipeline.errors import DetSearchError
from pipeline.hit_detector.one_shot import OneShotScorer, load_scorer
from pipeline.hit_detector.spaces import SUPERNET, supernet_architecture
from pipeline.search_space.architecture import Architecture, Block
from pipeline.supernet.weights import path_weights
from pipeline.training.seeding import seed_everything

SHAPE = SupernetConfig(
    input_size=(64, 64),
    stem_channels=4,
    channels=(6, 8, 8, 12),
    neck_channels=8,
    rpn_channels=8,
    anchor_scale=4,
    head_blocks=1,
    head_fc_channels=16,
    roi_size=3,
)
OPERATIONS = {
    "backbone": ("ir_k3_d1_e3", "conv_k3_d1"),
    "neck": ("sep_k3_d1", "conv_k3_d1"),
    "head": ("sep_k3_d1", "ir_k3_d1_e1"),
}
AROUND = Surroundings(
    DetectorConfig(image_scale=(64, 64), rpn_samples=16, proposals=20, roi_samples=8, flip=0.5),
    Selection(proposals=20, score_threshold=0.0, detections=20),
)
IMAGES = {"images": 10, "recalibration_batches": 2, "batch_size": 4, "seed": 5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 10 training and 16 validation images, and a supernet as a search publishes it."""
    folder = tmp_path_factory.mktemp("one_shot")
    (folder / "data").mkdir()
    embedded = EmbeddedDetection(
        image_size=64, train_images=10, val_images=16, object_size=(12, 40)
    )
    prepare_detection(embedded, folder / "data")
    torch.manual_seed(0)
    architecture = supernet_architecture(SHAPE, 10, (1, 1, 2, 1), OPERATIONS)
    model: Any = build_detector(architecture, AROUND)
    # the initial deviations of mmdet's last layers would make all boxes and scores alike
    for layer in (model.rpn_head.rpn_cls, model.rpn_head.rpn_reg, model.roi_head.bbox_head.fc_cls):
        layer.weight.data.normal_(0, 0.3)
    (folder / "search").mkdir()
    architecture.save(folder / "search" / SUPERNET)
    save_weights(folder / "search" / WEIGHTS, model.state_dict())
    return folder


def _scorer(folder: Path, **changed: Any) -> OneShotScorer:
    chosen: dict[str, Any] = {"by": "loss"} | IMAGES | changed
    return load_scorer(folder / "search", folder / "data", AROUND, **chosen)


def _network(scorer: OneShotScorer, number: int) -> Architecture:
    """One of the networks; neighbouring blocks differ."""
    count = iter(range(number, 100))

    def choose(component: str, name: str, block: Block) -> str:
        return OPERATIONS[component][next(count) // 2 % 2]

    return scorer.architecture.with_operations(choose)


def _alone(scorer: OneShotScorer, network: Architecture) -> Any:
    """The network built by itself, with the supernet's weights for it."""
    model: Any = build_detector(network, AROUND)
    weights = path_weights(scorer.model.state_dict(), scorer.path(network))
    model.load_state_dict(weights, strict=True)
    return model.eval()


@pytest.mark.parametrize("batches", [0, 2])
def test_a_score_is_that_of_the_derived_network_on_the_same_images(
    folder: Path, batches: int, tmp_path: Path
) -> None:
    scorer = _scorer(folder, recalibration_batches=batches)
    data = scorer.data
    assert len(data.ids) == len(set(data.ids)) == 10 and [
        len(batch["inputs"]) for batch in data.judged
    ] == [4, 4, 2]
    annotations = json.loads((folder / "data/annotations/val.json").read_text())
    for key, name in (("images", "id"), ("annotations", "image_id")):
        annotations[key] = [each for each in annotations[key] if each[name] in data.ids]
    (tmp_path / "judged.json").write_text(json.dumps(annotations))
    found = []
    for number in range(3):
        network = _network(scorer, number)
        alone = _alone(scorer, network)
        if batches:
            recalibrate(alone, data.statistics, 8)
        losses = []
        for place, batch in enumerate(data.judged):
            seed_everything(5, "one-shot", place)
            with torch.no_grad():
                losses.append(float(detection_loss(alone, batch)[0]))
        assert scorer.loss(network) == pytest.approx(sum(losses) / 3, rel=1e-5)
        assert scorer.score(network) == -scorer.loss(network)
        detections = detect(alone, data.tested)
        expected = coco_metrics(tmp_path / "judged.json", detections)["AP"]
        assert scorer.average_precision(network) == pytest.approx(expected, rel=1e-3)
        # with the statistics of no batch nothing is found
        found += [scorer.loss(network), *([expected] if batches else [])]
    assert len(set(found)) == len(found), "networks differ, and are judged by what differs"


def test_the_supernet_stays_as_it_is_and_equal_calls_give_equal_bits(folder: Path) -> None:
    scorer, other = _scorer(folder, by="ap"), _scorer(folder)
    scorer.model.train()
    before = {name: value.clone() for name, value in scorer.model.state_dict().items()}
    modes = [module.training for module in scorer.model.modules()]
    first, second = _network(scorer, 0), _network(scorer, 1)
    losses = [scorer.loss(first), scorer.loss(second)]
    scorer.score(first)
    assert all(torch.equal(value, before[n]) for n, value in scorer.model.state_dict().items())
    assert [module.training for module in scorer.model.modules()] == modes
    assert scorer.score(second) == scorer.average_precision(second)
    # in whatever order, by another scorer, and whatever was drawn before
    assert other.data.ids == scorer.data.ids
    assert [other.loss(second), other.loss(first)] == losses[::-1]


def test_the_images_are_drawn_by_the_seed(folder: Path) -> None:
    same, other = _scorer(folder).data, _scorer(folder, seed=6).data
    assert same.ids != other.ids
    everything = _scorer(folder, images=None).data.ids
    assert len(everything) == 16 and set(same.ids) < set(everything)


def test_what_cannot_be_scored_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(DetSearchError, match=r"one_shot_images is 17, .* only 16 images"):
        _scorer(folder, images=17)
    with pytest.raises(DetSearchError, match=r"recalibration_batches x 4 is 12, .* only 10 images"):
        _scorer(folder, recalibration_batches=3)
    scorer = _scorer(folder)
    foreign = scorer.architecture.with_operations(lambda *_: "conv_k5_d1")
    with pytest.raises(DetSearchError, match=r"conv_k5_d1 in backbone stage1\.block1, where"):
        scorer.score(foreign)
