"""The stages of Hit-Detector, and what each of them takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from pipeline.config.hit_detector import Alternation
from pipeline.config.optimization import Classification, Training
from pipeline.config.root import Config
from pipeline.config.supernet import Depths
from pipeline.plan.images import Images
from pipeline.plan.network import (
    FLOAT,
    Component,
    TrainingCost,
    backbone_cost,
    derived,
    detector_cost,
)
from pipeline.plan.planned import CLASSES, Planned, trained_stage
from pipeline.search_space.architecture import COMPONENTS

PRETRAINING_CLASSES = 1000


def hit_detector_stages(config: Config, images: Images) -> Iterator[Planned]:
    """From the pretraining of the screening supernet to the evaluated detector, in their order."""
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
        stage = trained_stage(
            name, "hit_detector", config, training, cost, macs, before, publishes=publishes
        )
        before = (name,)
        return stage

    def pretraining(name: str, training: Classification, depth: Depths, held: Component) -> Planned:
        cost = backbone_cost(shape, depth, held, training.image_size, PRETRAINING_CLASSES)
        macs = training.epochs * images.classification * cost.step_macs
        return planned(name, training, cost, macs)

    stated = screening.spaces.model_dump() if screening.spaces else {}
    # which ones a screening keeps is not known yet
    spaces = {component: stated.get(component, candidates) for component in COMPONENTS}
    if pretrained and not stated:
        training = config.screening_pretraining
        held = Component(candidates, every, training.paths or every)
        yield pretraining("pretrain_screening_supernet", training, shape.screening_depth, held)
    screened = Component(candidates, every, screening.paths or every)
    if screening.joint and not stated:
        everywhere: dict[str, Component | str] = dict.fromkeys(COMPONENTS, screened)
        cost = _supernet(config, shape.screening_depth, everywhere)
        macs = alternated_images(screening, images.train) * cost.step_macs
        yield planned("screen_jointly", screening, cost, macs, publishes=False)
    elif not stated:
        parts: dict[str, Component | str] = {"backbone": screened}
        parts |= screening.defaults.model_dump()
        for component in COMPONENTS:
            parts[component] = screened
            cost = _supernet(config, shape.screening_depth, parts)
            macs = alternated_images(screening, images.train) * cost.step_macs
            yield planned(f"screen_{component}", screening, cost, macs, publishes=False)
            kept = keep[component]
            parts[component] = Component(candidates, kept, screening.held_paths or kept)
    if pretrained:
        training = config.search_pretraining
        kept = keep["backbone"]
        held = Component(spaces["backbone"], kept, min(training.paths or kept, kept))
        yield pretraining("pretrain_search_supernet", training, shape.depth, held)
    parts = {
        name: Component(spaces[name], kept, min(search.paths or kept, kept))
        for name, kept in keep.items()
    }
    cost = _supernet(config, shape.depth, parts)
    if search.strategy == "differentiable":
        macs = alternated_images(search, images.train) * cost.step_macs
        yield planned("search", search, cost, macs)
    else:
        macs = search.epochs * images.train * cost.step_macs
        yield planned("train_one_shot", search, cost, macs)
        yield _path_search(config, images, cost, spaces, before)
        before = ("search_paths",)
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
        name="evaluate",
        method="hit_detector",
        macs=images.evaluated * tested.whole.macs,
        gpus=1,
        # nothing is kept for a backward pass: this is an upper bound
        memory=FLOAT * cost.whole.params + config.evaluation.batch_size * tested.whole.kept,
        published=0.0,
        work=0.0,
        after=before,
    )


def _path_search(
    config: Config,
    images: Images,
    supernet: TrainingCost,
    spaces: Mapping[str, tuple[str, ...]],
    after: tuple[str, ...],
) -> Planned:
    """Forward passes of single paths: over the images of their statistics, and those they are judged on."""
    search = config.search
    held: dict[str, Component | str] = {name: derived(space) for name, space in spaces.items()}
    path = _supernet(config, config.supernet.depth, held, config.testing.proposals).whole
    judged = search.one_shot_images or images.validated
    each = search.recalibration_batches * search.batch_size + judged
    return Planned(
        name="search_paths",
        method="hit_detector",
        macs=search.scored_paths * each * path.macs,
        gpus=config.run.gpus,
        # nothing is kept for a backward pass: this is an upper bound
        memory=FLOAT * supernet.whole.params + search.batch_size * path.kept,
        published=FLOAT * supernet.whole.params,
        work=0.0,
        after=after,
    )


def _supernet(
    config: Config,
    depth: Depths,
    parts: Mapping[str, Component | str],
    rois: int | None = None,
) -> TrainingCost:
    rois = rois or config.detector.roi_samples
    return detector_cost(config.supernet, depth, parts, rois, CLASSES)


def alternated_images(settings: Alternation, images: int) -> float:
    """Images in the steps of an alternation: half of them a pass for the weights, half for α."""
    passes = settings.epochs + settings.epochs - (settings.architecture_from_epoch - 1)
    return passes * images / 2
