"""The stages of Hit-Detector, and what each of them takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.config.hit_detector import Alternation
from pipeline.config.optimization import Classification, Training
from pipeline.config.root import Config
from pipeline.config.supernet import Depths
from pipeline.plan.cost import FLOAT, TrainingCost, Work
from pipeline.plan.images import Images
from pipeline.plan.network import Component, backbone_cost, derived, detector_cost
from pipeline.plan.planned import (
    CLASSES,
    WHOLE,
    Planned,
    Reckoning,
    testing_memory,
    trained_stage,
)
from pipeline.search_space.architecture import COMPONENTS

PRETRAINING_CLASSES = 1000


def hit_detector_stages(
    config: Config, images: Images, reckoning: Reckoning = WHOLE
) -> Iterator[Planned]:
    """From the pretraining of the screening supernet to the evaluated detector, in their order.

    Where the report asks for them (`report.random`), the networks of `hit_random` follow: as much is taken
    for each as for the searched one, since they have its MACs.
    """
    shape, screening, search = config.supernet, config.screening, config.search
    candidates = screening.candidates
    keep = screening.keep.model_dump()
    every = len(candidates)
    before: tuple[str, ...] = ()
    pretrained = images.classification > 0
    thinned = reckoning.thinned

    def planned(
        name: str,
        training: Training,
        cost: TrainingCost,
        work: Work,
        *,
        publishes: bool = True,
        tested: TrainingCost | None = None,
    ) -> Planned:
        nonlocal before
        stage = trained_stage(
            name,
            "hit_detector",
            config,
            training,
            cost,
            work,
            before,
            publishes=publishes,
            tested=tested,
        )
        before = (name,)
        return stage

    def pretraining(name: str, training: Classification, depth: Depths, held: Component) -> Planned:
        cost = backbone_cost(shape, depth, held, training.image_size, PRETRAINING_CLASSES)
        return planned(name, training, cost, cost.step * (training.epochs * images.classification))

    def screening_work(
        parts: Mapping[str, Component | str], under: Sequence[str], kept: float
    ) -> tuple[TrainingCost, Work]:
        """With all candidates, as memory must hold it; and all steps, in which they become fewer."""
        cost = fewer = _supernet(config, shape.screening_depth, parts)
        living = round((every + kept) / 2)
        if thinned and living < every:
            few = Component(candidates, living, min(screening.paths or living, living))
            fewer = _supernet(config, shape.screening_depth, {**parts, **dict.fromkeys(under, few)})
        return cost, alternated(screening, images.train, cost, fewer, reckoning)

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
        mean = sum(keep.values()) / len(keep)
        yield planned(
            "screen_jointly",
            screening,
            *screening_work(everywhere, COMPONENTS, mean),
            publishes=False,
        )
    elif not stated:
        parts: dict[str, Component | str] = {"backbone": screened}
        parts |= screening.defaults.model_dump()
        for component in COMPONENTS:
            parts[component] = screened
            cost, work = screening_work(parts, (component,), keep[component])
            yield planned(f"screen_{component}", screening, cost, work, publishes=False)
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
        yield planned(
            "search", search, cost, alternated(search, images.train, cost, cost, reckoning)
        )
    else:
        yield planned("train_one_shot", search, cost, cost.step * (search.epochs * images.train))
        yield _path_search(config, images, cost, spaces, before)
        before = ("search_paths",)
    found: dict[str, Component | str] = dict.fromkeys(COMPONENTS, derived(candidates))
    cost = _supernet(config, shape.depth, found)
    tested = _supernet(config, shape.depth, found, config.testing.proposals)

    def trained_alone(of: str, pretraining: int, epochs: int, jobs: int) -> Iterator[Planned]:
        """Networks of the searched one's cost, each pretrained and trained for so many epochs."""
        nonlocal before
        if pretrained:
            section = config.pretraining.model_copy(update={"epochs": pretraining})
            side, held = section.image_size, derived(candidates)
            spent = backbone_cost(shape, shape.depth, held, side, PRETRAINING_CLASSES)
            work = spent.step * (pretraining * images.classification)
            yield replace(planned(f"pretrain_backbone{of}", section, spent, work), jobs=jobs)
        section = config.training.model_copy(update={"epochs": epochs})
        validations = math.ceil(epochs / section.validation_interval)
        work = cost.step * (epochs * images.train)
        work += tested.tested * (validations * images.validated)
        stage = planned(f"train_detector{of}", section, cost, work, tested=tested)
        yield replace(stage, jobs=jobs)

    lengths = config.pretraining.epochs, config.training.epochs
    if (trials := search.finalists).networks > 1:
        short = trials.pretraining_epochs or config.pretraining.epochs, trials.epochs
        yield from trained_alone(" of finalists", *short, trials.networks)
    yield from trained_alone("", *lengths, 1)
    evaluation = Planned(
        name="evaluate",
        method="hit_detector",
        compute=tested.tested * images.evaluated,
        gpus=config.run.gpus,
        memory=testing_memory(tested, config.evaluation.batch_size, config.run.precision),
        published=0.0,
        work=0.0,
        after=before,
    )
    yield evaluation
    if not config.report.random:
        return
    study = config.ablations.random
    # the searched one was trained once already
    jobs = study.seeds * (study.networks + 2) - 1
    yield from trained_alone(" of hit_random", *lengths, jobs)
    yield replace(evaluation, name="evaluate of hit_random", jobs=jobs, after=before)


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
    path = _supernet(config, config.supernet.depth, held, config.testing.proposals)
    judged = search.one_shot_images or images.validated
    each = search.recalibration_batches * search.batch_size + judged
    return Planned(
        name="search_paths",
        method="hit_detector",
        compute=path.tested * (search.scored_paths * each),
        gpus=config.run.gpus,
        memory=testing_memory(path, search.batch_size, config.run.precision)
        + FLOAT * (supernet.whole.params - path.whole.params),
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


def alternated(
    settings: Alternation,
    images: int,
    before: TrainingCost,
    after: TrainingCost,
    reckoning: Reckoning,
) -> Work:
    """The steps of an alternation, each pass over half of the images: for the weights, and for α.

    Args:
        settings: how many passes.
        images: of the training split.
        before: of a step before α is optimised.
        after: the same from then on, on the average.
        reckoning: whether a step of α is counted as one.
    """
    alone = settings.architecture_from_epoch - 1
    both = settings.epochs - alone
    of_alpha = after.architecture_step if reckoning.alpha_alone else after.step
    return before.step * (alone * images / 2) + (after.step + of_alpha) * (both * images / 2)
