"""The stages of a run that train or evaluate, and what each of them takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.config.hit_detector import Alternation
from pipeline.config.optimization import Classification, Training
from pipeline.config.root import Config
from pipeline.config.supernet import Depths
from pipeline.plan.images import Images
from pipeline.plan.network import (
    FLOAT,
    Component,
    Footprint,
    TrainingCost,
    architecture_cost,
    backbone_cost,
    derived,
    detector_cost,
)
from pipeline.search_space.architecture import COMPONENTS, Architecture
from pipeline.teacher_pool.space import SubnetSpace

KEPT_CHECKPOINTS = 2
# the outputs of a last layer, which hardly count, where the dataset is not looked at
CLASSES, PRETRAINING_CLASSES = 80, 1000


@dataclass(frozen=True)
class Planned:
    """A stage of the run.

    Attributes:
        name: of its rule, with its wildcards.
        method: `hit_detector` or `teacher_pool`.
        macs: multiply-accumulates of one job.
        gpus: of its job.
        memory: bytes on each of them: weights, gradients, the optimiser's state, activations.
        published: bytes of the weights that it publishes.
        work: bytes of its checkpoints while it trains.
        after: names of the stages whose results it takes.
        waves: how often it runs, one time after the other.
        jobs: of each wave, side by side.
    """

    name: str
    method: str
    macs: float
    gpus: int
    memory: float
    published: float
    work: float
    after: tuple[str, ...]
    waves: int = 1
    jobs: int = 1


def planned_stages(config: Config, images: Images) -> list[Planned]:
    """The stages of Hit-Detector and of the teacher pool, in an order in which they can run."""
    return [*_hit_detector(config, images), *_teacher_pool(config, images)]


def _hit_detector(config: Config, images: Images) -> Iterator[Planned]:
    shape, screening, search = config.supernet, config.screening, config.search
    candidates = screening.candidates
    keep = screening.keep.model_dump()
    every = len(candidates)
    before: tuple[str, ...] = ()
    pretrained = images.classification > 0

    def planned(
        name: str, training: Training, cost: TrainingCost, macs: float, *, publishes: bool = True
    ) -> Planned:
        nonlocal before
        stage = _trained(name, "hit_detector", config, training, cost, macs, before, publishes)
        before = (name,)
        return stage

    def pretraining(name: str, training: Classification, depth: Depths, held: Component) -> Planned:
        cost = backbone_cost(shape, depth, held, training.image_size, PRETRAINING_CLASSES)
        macs = training.epochs * images.classification * cost.step_macs
        return planned(name, training, cost, macs)

    if pretrained:
        training = config.screening_pretraining
        held = Component(candidates, every, training.paths or every)
        yield pretraining("pretrain_screening_supernet", training, shape.screening_depth, held)
    screened = Component(candidates, every, screening.paths or every)
    if screening.joint:
        everywhere: dict[str, Component | str] = dict.fromkeys(COMPONENTS, screened)
        cost = _supernet(config, shape.screening_depth, everywhere)
        macs = _alternated(screening, images.train) * cost.step_macs
        yield planned("screen_jointly", screening, cost, macs, publishes=False)
    else:
        parts: dict[str, Component | str] = {"backbone": screened}
        parts |= screening.defaults.model_dump()
        for component in COMPONENTS:
            parts[component] = screened
            cost = _supernet(config, shape.screening_depth, parts)
            macs = _alternated(screening, images.train) * cost.step_macs
            yield planned(f"screen_{component}", screening, cost, macs, publishes=False)
            kept = keep[component]
            parts[component] = Component(candidates, kept, screening.held_paths or kept)
    if pretrained:
        training = config.search_pretraining
        kept = keep["backbone"]
        held = Component(candidates, kept, min(training.paths or kept, kept))
        yield pretraining("pretrain_search_supernet", training, shape.depth, held)
    parts = {
        name: Component(candidates, kept, min(search.paths or kept, kept))
        for name, kept in keep.items()
    }
    cost = _supernet(config, shape.depth, parts)
    yield planned("search", search, cost, _alternated(search, images.train) * cost.step_macs)
    if pretrained:
        held = derived(candidates)
        yield pretraining("pretrain_backbone", config.pretraining, shape.depth, held)
    found: dict[str, Component | str] = dict.fromkeys(COMPONENTS, derived(candidates))
    cost = _supernet(config, shape.depth, found)
    tested = _supernet(config, shape.depth, found, config.testing.proposals)
    training = config.training
    validations = math.ceil(training.epochs / training.validation_interval)
    macs = training.epochs * images.train * cost.step_macs
    macs += validations * images.validated * tested.whole.macs
    yield planned("train_detector", training, cost, macs)
    yield Planned(
        name="evaluate_hit_detector",
        method="hit_detector",
        macs=images.evaluated * tested.whole.macs,
        gpus=1,
        # nothing is kept for a backward pass: this is an upper bound
        memory=FLOAT * cost.whole.params + config.evaluation.batch_size * tested.whole.kept,
        published=0.0,
        work=0.0,
        after=before,
    )


def _supernet(
    config: Config,
    depth: Depths,
    parts: Mapping[str, Component | str],
    rois: int | None = None,
) -> TrainingCost:
    rois = rois or config.detector.roi_samples
    return detector_cost(config.supernet, depth, parts, rois, CLASSES)


def _alternated(settings: Alternation, images: int) -> float:
    """Images in the steps of an alternation: half of them a pass for the weights, half for α."""
    passes = settings.epochs + settings.epochs - (settings.architecture_from_epoch - 1)
    return passes * images / 2


def _teacher_pool(config: Config, images: Images) -> Iterator[Planned]:
    pool, rois = config.teacher_pool, config.detector.roi_samples
    before: tuple[str, ...] = ()
    largest = architecture_cost(_largest(config), rois)
    # images are drawn at all resolutions equally often
    sides = [longest * shortest for longest, shortest in pool.space.resolutions]
    share = sum(sides) / len(sides) / max(sides)
    for number, phase in enumerate(pool.phases):
        space = SubnetSpace.of_phase(pool.space, CLASSES, phase)
        least = space.smallest.model_copy(update={"resolution": space.largest.resolution})
        middle = (
            largest.step_macs + architecture_cost(space.architecture(least), rois).step_macs
        ) / 2
        # phase 0 trains its only subnet once, the largest net; later it teaches, its pyramid once a batch
        trained = largest.step_macs
        if number:
            trained = phase.train_largest * largest.step_macs + phase.subnets * middle
            trained += largest.whole.macs
        name = f"shrink_pool_{number}"
        macs = phase.epochs * images.train * trained * share
        yield _trained(name, "teacher_pool", config, phase, largest, macs, before, True)
        before = (name,)


def _largest(config: Config) -> Architecture:
    space = SubnetSpace.whole(config.teacher_pool.space, CLASSES)
    return space.architecture(space.largest)


def _trained(
    name: str,
    method: str,
    config: Config,
    training: Training,
    cost: TrainingCost,
    macs: float,
    after: tuple[str, ...],
    publishes: bool,
) -> Planned:
    """A training on `run.gpus`, which share its batch."""
    gpus = config.run.gpus
    batch = math.ceil(training.batch_size / (config.run.reference_gpus or gpus))
    return Planned(
        name=name,
        method=method,
        macs=macs,
        gpus=gpus,
        memory=training_memory(cost.whole, batch, training.optimizer.type),
        published=FLOAT * cost.whole.params * publishes,
        work=KEPT_CHECKPOINTS * FLOAT * cost.whole.params * (1 + MOMENTS[training.optimizer.type]),
        after=after,
    )


MOMENTS = {"sgd": 1, "adamw": 2}
"""Numbers that an optimiser remembers of each parameter."""


def training_memory(network: Footprint, batch: int, optimizer: str) -> float:
    """Bytes of a training on one device: weights, gradients, the optimiser's state, activations.

    Args:
        network: for one image.
        batch: images on the device in a step.
        optimizer: `sgd` or `adamw`.
    """
    return FLOAT * network.params * (2 + MOMENTS[optimizer]) + batch * network.kept
