"""A candidate from its proposal to its evaluation: a real student, teacher and training, all tiny."""

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.artifacts.files import write_json
from pipeline.artifacts.weights import WEIGHTS, save_weights
from pipeline.config.data import EmbeddedDetection
from pipeline.config.detector import DetectorConfig, TestingConfig
from pipeline.config.hill_climb import HillClimbConfig
from pipeline.config.teacher_pool import PoolSpace
from pipeline.data.embedded import write_detection
from pipeline.data.embedded_sources import CLASSES
from pipeline.data.index import SplitPaths
from pipeline.deploy.latency import Latencies
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.complexity import detector_complexity
from pipeline.detection.resolutions import datasets_at
from pipeline.distillation.training import StudentTraining
from pipeline.errors import DetSearchError
from pipeline.front.predictor import Predictor
from pipeline.hill_climb.candidate import cost_of, evaluation, inherit, load_start
from pipeline.hill_climb.parents import PARENTS, Parent, parents_content
from pipeline.hill_climb.proposals import candidate_seed, propose
from pipeline.hill_climb.records import (
    RANKING,
    Base,
    Evaluation,
    Ranking,
    Score,
    record_bytes,
)
from pipeline.search_space.architecture import (
    ARCHITECTURE,
    Architecture,
    ConvFcHead,
    FpnNeck,
    ResNetBackbone,
    Rpn,
)
from pipeline.search_space.standard import resnet_backbone
from pipeline.teacher_pool.space import SubnetSpace
from pipeline.zoo.architectures import zoo_architecture

AROUND = Surroundings(
    detector=DetectorConfig(rpn_samples=16, proposals=20, roi_samples=8, image_scale=(64, 64)),
    testing=TestingConfig(proposals=20, score_threshold=0.0, detections=20),
)
BASE = Architecture(
    family="faster_rcnn",
    classes=len(CLASSES),
    input_size=(64, 64),
    backbone=resnet_backbone(18, base_channels=8),
    neck=FpnNeck(channels=8),
    rpn=Rpn(channels=8, anchor_scale=4),
    head=ConvFcHead(roi_size=3, fcs=(16, 16)),
)
SPACE = SubnetSpace.whole(
    PoolSpace(
        block="basic",
        base_channels=4,
        neck_channels=8,
        rpn_channels=8,
        anchor_scale=4,
        roi_size=3,
        head_fc_channels=16,
        least_depths=(1, 1, 1, 1),
        greatest_depths=(2, 2, 2, 2),
        widths=(1.0, 1.5),
        resolutions=((64, 64),),
    ),
    len(CLASSES),
)
SETTINGS = HillClimbConfig.model_validate(
    {
        "candidates": 2,
        "pruning_generations": 1,
        "alpha": 0.5,
        "training": {"epochs": 1, "batch_size": 4, "resolutions": [[64, 64], [96, 96]]},
    }
)


def _model(architecture: Architecture) -> Any:
    torch.manual_seed(0)
    return build_detector(architecture, AROUND)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_detection(
        EmbeddedDetection(image_size=64, train_images=10, val_images=10, object_size=(12, 40)),
        folder,
    )
    return folder


def _trained(folder: Path) -> tuple[list[Evaluation], dict[str, torch.Tensor]]:
    """The first candidate of generation 0, and the student's weights."""
    (proposal, _) = propose(0, Ranking(), BASE, SPACE, SETTINGS, seed=3)
    architecture, weights = inherit(proposal, BASE, _model(BASE).state_dict())
    student = _model(architecture)
    student.load_state_dict(weights, strict=True)
    splits = {
        name: SplitPaths(folder / f"annotations/{name}.json", folder / f"images/{name}")
        for name in ("train", "val")
    }
    train, val = (
        datasets_at(
            SETTINGS.training.resolutions,
            split,
            list(CLASSES),
            AROUND.detector,
            train=name == "train",
        )
        for name, split in splits.items()
    )
    task = StudentTraining(
        student,
        _model(SPACE.architecture(proposal.teacher)).eval(),
        SETTINGS.training,
        train,
        (val, splits["val"].annotations),
        candidate_seed(3, proposal.name),
    )
    torch.manual_seed(0)
    task.start(0)
    for iteration in range(task.iterations):
        task.step(iteration, task.fetch(iteration))
    task.end_epoch(1)
    base = Base(cost=cost_of(BASE, 20, None).counted, resolution=(64, 64))
    cost = cost_of(architecture, 20, None)
    return [evaluation(proposal, architecture, task.metrics, cost, base, SETTINGS, epochs=1)], dict(
        student.state_dict()
    )


def test_a_pruned_candidate_is_trained_scored_and_the_same_again(images: Path) -> None:
    (result,), weights = _trained(images)
    assert result.macs == detector_complexity(result.architecture, 20).total.macs
    assert result.macs < detector_complexity(BASE, 20).total.macs
    assert [score.resolution for score in result.scores] == [(64, 64), (96, 96)]
    assert Evaluation.model_validate_json(result.model_dump_json()) == result
    (again,), same = _trained(images)
    assert again == result and all(torch.equal(weights[name], same[name]) for name in weights)


def test_a_candidate_whose_teacher_changes_inherits_all_and_shares_no_memory() -> None:
    settings = SETTINGS.model_copy(update={"pruning_generations": 0, "evolve_student": 0.0})
    (proposal, _) = propose(0, Ranking(), BASE, SPACE, settings, seed=0)
    given = _model(BASE).state_dict()
    architecture, weights = inherit(proposal, BASE, given)
    assert architecture == BASE and proposal.teacher != SPACE.largest
    assert weights.keys() == given.keys()
    for name, value in weights.items():
        assert torch.equal(value, given[name]) and value.data_ptr() != given[name].data_ptr()


def test_a_teacher_that_stays_is_not_measured_again(tmp_path: Path) -> None:
    """Its batch statistics lie beside the parent's weights; another teacher has none yet."""
    settings = SETTINGS.model_copy(update={"pruning_generations": 0, "evolve_student": 1.0})
    weights = _model(BASE).state_dict()
    (first, _) = propose(0, Ranking(), BASE, SPACE, settings, seed=0)
    score = Score(resolution=(64, 64), ap=0.5, score=0.5)
    parent = Evaluation(proposal=first, architecture=BASE, macs=1, scores=(score,), epochs=2)
    ranking = Ranking(top=(parent,), history=(0.5,))
    base, folder = tmp_path / "base", tmp_path / "ranking"
    base.mkdir()
    folder.mkdir()
    write_json(base / ARCHITECTURE, BASE.model_dump(mode="json"))
    save_weights(base / WEIGHTS, weights)
    (folder / RANKING).write_bytes(record_bytes(ranking))
    statistics = {"norm": torch.ones(3)}
    content = parents_content(dict([(first.name, Parent(weights, statistics))]))  # noqa: C406
    assert callable(content)
    content(folder / PARENTS)

    assert load_start(first, base, None).statistics is None
    (child, _) = propose(1, ranking, BASE, SPACE, settings, seed=0)
    start = load_start(child, base, folder)
    assert start.statistics is not None and torch.equal(start.statistics["norm"], torch.ones(3))
    assert start.epochs == 2
    other = settings.model_copy(update={"evolve_student": 0.0})
    (child, _) = propose(1, ranking, BASE, SPACE, other, seed=0)
    assert child.teacher != first.teacher and load_start(child, base, folder).statistics is None


def test_where_latency_counts_a_score_is_of_predicted_milliseconds() -> None:
    """A block takes a millisecond and nothing else any time: seven of eight are an eighth less."""
    latencies = Latencies(
        runtime="onnxruntime",
        device="none",
        threads=1,
        images=1,
        rounds=1,
        warm_up=0,
        seed=0,
        packages={},
        models=(),
    )
    predictor = Predictor(
        coefficients=(0, 0, 0, 0, 0, 0, 0, 1),
        median_error=0,
        worst_error=0,
        measured=(),
        latencies=latencies,
    )
    assert isinstance(BASE.backbone, ResNetBackbone)
    *stages, last = BASE.backbone.stages
    shallow = BASE.backbone.model_copy(update={"stages": (*stages, last[:1])})
    student = BASE.model_copy(update={"backbone": shallow})
    (proposal, _) = propose(0, Ranking(), BASE, SPACE, SETTINGS, seed=3)
    base = Base(cost=cost_of(BASE, 20, predictor).counted, resolution=(64, 64))
    cost = cost_of(student, 20, predictor)
    metrics = [{"resolution": [64, 64], "AP": 0.5}]
    result = evaluation(proposal, student, metrics, cost, base, SETTINGS, epochs=1)
    assert (base.cost, result.milliseconds) == (8, 7)
    assert result.macs == detector_complexity(student, 20).total.macs
    assert result.best.score == pytest.approx(0.5 * (7 / 8) ** -0.5)  # alpha is 0.5
    assert Evaluation.model_validate_json(result.model_dump_json()) == result
    mobile = zoo_architecture("fpn_mobilenetv2")
    with pytest.raises(DetSearchError, match=r"faster_rcnn on mobilenet.*; count macs"):
        cost_of(mobile, 20, predictor)
