"""What the config's trainings ask of the data and the machine, and settings that are rarely meant."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pipeline.artifacts.errors import ArtifactError
from pipeline.config.data import CropsClassification, EmbeddedClassification, EmbeddedDetection
from pipeline.config.optimization import Training
from pipeline.config.root import Config
from pipeline.config.scaling import scaled
from pipeline.data.demands import Batch, Counts, Demands, Of, unmet
from pipeline.data.demands import remarks as data_remarks
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.doctor.environment import disk
from pipeline.errors import DetSearchError
from pipeline.teacher_pool.space import SubnetSpace, outside_pool
from pipeline.zoo.architectures import zoo_architecture
from pipeline.zoo.scaling import scaled as scale_network

DIGITS = 10
"""Classes of the embedded data."""
PRETRAININGS = {
    "pretrain_screening_supernet": "screening_pretraining",
    "pretrain_search_supernet": "search_pretraining",
    "pretrain_backbone": "pretraining",
}
ALTERNATIONS = {"screen": "screening", "screen_jointly": "screening", "search": "search"}
DETECTORS = {
    "train_detector": "training",
    "train_one_shot": "search",
    "evaluate_candidate": "hill_climb.training",
    "refine_detector": "hill_climb.training",
    "upgrade_detector": "upgrade.training",
}
HIT_DETECTOR = frozenset({*PRETRAININGS, "screen", "search", "train_detector"})
BY_PATHS = frozenset({"train_one_shot", "search_paths"})
"""What searches in the place of `search` where the strategy is not differentiable."""
SCREENING = frozenset({"pretrain_screening_supernet", "screen"})
"""What is not run where the config states the sub search spaces."""
JOINT_DETNAS = frozenset({"train_student", "shrink_pool", "evaluate_candidate", "refine_detector"})
FRONT = frozenset({"train_student", "shrink_pool"})
BASELINE = frozenset({"train_detector"})
STOCK = {
    "hit_detector": HIT_DETECTOR,
    "base": frozenset({"train_student"}),
    "student": JOINT_DETNAS,
    "upgrade": JOINT_DETNAS | {"upgrade_detector"},
}
"""What trains a detector that `front.stock` names; any other is a baseline."""
USUAL_RATES = {"sgd": (0.001, 0.5, "0.01 to 0.04"), "adamw": (1e-6, 0.01, "0.0001 to 0.003")}
"""Of each optimiser the least and greatest learning rate without a remark, and the usual ones."""
COST_SIZES = 2.0
"""By which factor the areas of `supernet.input_size` and of the images may differ without a remark."""


def default_rules(config: Config) -> frozenset[str]:
    """The rules of the default target that train."""
    rules: frozenset[str] = frozenset()
    if "front" in config.run.methods:
        # the detectors beside it are trained where they are missing
        rules = FRONT.union(*(STOCK.get(name, BASELINE) for name in config.front.stock or ()))
    if "hit_detector" in config.run.methods:
        rules |= HIT_DETECTOR
    if "joint_detnas" in config.run.methods:
        rules |= JOINT_DETNAS
    if "search" in rules and config.search.strategy != "differentiable":
        rules = rules - {"search"} | BY_PATHS
    return rules - SCREENING if config.screening.spaces else rules


@dataclass(frozen=True)
class _Trained:
    """A training that rules run.

    Attributes:
        section: of the config.
        of: images that it is trained on.
        processes: of its jobs; several numbers where several rules train by this section.
    """

    section: Training
    of: Of
    processes: frozenset[int]


def _trainings(config: Config, rules: Collection[str]) -> dict[str, _Trained]:
    """Every training that the rules run, by the key of its section."""
    found: dict[str, _Trained] = {}

    def add(key: str, of: Of, gpus: int | None = None) -> None:
        section: Any = config
        for part in key.split("."):
            section = section[int(part)] if part.isdigit() else getattr(section, part)
        others = found[key].processes if key in found else frozenset[int]()
        found[key] = _Trained(section, of, others | {gpus or config.run.gpus})

    pretrains = config.data.classification.source not in ("checkpoint", "none")
    for rule, key in PRETRAININGS.items():
        if pretrains and rule in rules:
            add(key, "classification")
    for rule, key in ALTERNATIONS.items():
        if rule in rules:
            add(key, "half")
    for rule, key in DETECTORS.items():
        if rule in rules:
            add(key, "train", config.hill_climb.gpus if rule == "evaluate_candidate" else None)
    if "train_student" in rules and config.base_detector.source == "zoo":
        add("base_detector.training", "train")
    if "shrink_pool" in rules:
        for number in range(len(config.teacher_pool.phases)):
            add(f"teacher_pool.phases.{number}", "train", config.teacher_pool.gpus)
    return found


def demands(config: Config, rules: Collection[str]) -> Demands:
    """What the trainings of some rules ask of the data, on the GPUs that there are."""
    gpus, reference = config.run.gpus, config.run.reference_gpus or config.run.gpus
    batches = [
        Batch(
            key=f"{key}.batch_size",
            images=max(1, each.section.batch_size * gpus // reference),
            of=each.of,
        )
        for key, each in _trainings(config, rules).items()
    ]
    if "search_paths" in rules:
        images = config.search.recalibration_batches * config.search.batch_size
        if images:
            batches.append(Batch(key="search.recalibration_batches", images=images, of="train"))
    scales = {"detector.image_scale": config.detector.image_scale}
    if "shrink_pool" in rules:
        images = config.teacher_pool.recalibration.images
        batches.append(Batch(key="teacher_pool.recalibration.images", images=images, of="listed"))
        largest = max(config.teacher_pool.space.resolutions)
        scales["teacher_pool.space.resolutions"] = largest
    if "evaluate_candidate" in rules:
        scales["hill_climb.training.resolutions"] = max(config.hill_climb.training.resolutions)
    active = config.data.classification.active
    crops = active if isinstance(active, CropsClassification) else None
    return Demands(batches=tuple(batches), scales=scales, crops=crops)


def known_counts(config: Config) -> Counts:
    """What the config itself says of the data: embedded ones are made as it says."""
    detection, classification = config.data.detection.active, config.data.classification.active
    counts: dict[str, Any] = {}
    if isinstance(detection, EmbeddedDetection):
        images, side = detection.train_images, detection.image_size
        counts = {"listed": images, "with_boxes": images, "size": (side, side)}
    if isinstance(classification, EmbeddedClassification):
        counts["classification"] = DIGITS * classification.train_images_per_class
    return Counts(**counts)


def counts_at_start(config: Config, run: Path, rules: Collection[str]) -> Counts:
    """What is known of the data before a job starts: of what was prepared, or of what the config makes.

    Args:
        config: Of the run.
        run: Its folder.
        rules: That are going to run: what they prepare anew tells nothing yet.
    """
    known = known_counts(config)
    found: dict[str, Any] = {}
    for kind in ("detection", "classification"):
        path = run / "data" / kind / FILE_NAME
        if path.exists() and f"prepare_{kind}_data" not in rules:
            with contextlib.suppress(ArtifactError):  # damaged: the stage that reads it says so
                found[kind] = DatasetIndex.load(path).statistics.get("train")
    prepared = Counts.of_statistics(found.get("detection"), found.get("classification"))
    return Counts(
        **{
            field.name: getattr(prepared, field.name) or getattr(known, field.name)
            for field in fields(Counts)
        }
    )


def told_at_start(config: Config, run: Path, rules: Collection[str]) -> tuple[list[str], list[str]]:
    """Everything that is wrong with the settings, and everything that is rarely meant.

    Args:
        config: Of the run.
        run: Its folder.
        rules: That are going to run.

    Returns:
        Sentences that each name a key: of what would fail, and of what is only to be looked at.
    """
    wanted, there = demands(config, rules), counts_at_start(config, run, rules)
    wrong = [*unshared(config, rules), *unmet(wanted, there)]
    space = disk(run)
    sentences = [f"{key} {told}" for key, told in wrong]
    if rules and space.state == "fault":
        sentences.append(f"disk: {space.found}: {space.advice}")
    sentences += [*out_of_budget(config, rules), *unfit_base(config, rules)]
    return sentences, [*remarks(config, rules), *data_remarks(wanted, there)]


def out_of_budget(config: Config, rules: Collection[str]) -> Iterator[str]:
    """A sentence where no architecture that can be derived keeps `search.max_gmacs`."""
    if config.search.max_gmacs is None or not {"derive", "choose_finalist"} & set(rules):
        return
    # not at the top: it imports mmdet, for seconds
    from pipeline.hit_detector.budget import require_budget

    try:
        require_budget(config.supernet, config.screening, config.search.max_gmacs)
    except DetSearchError as error:
        yield str(error)


def unfit_base(config: Config, rules: Collection[str]) -> Iterator[str]:
    """A sentence where the pool is to be grown from a network of the zoo that does not lie inside it."""
    base, pool = config.base_detector, config.teacher_pool
    if not pool.grown_from_base or base.source != "zoo" or "shrink_pool" not in rules:
        return
    network = zoo_architecture(base.network)
    two_stage = pool.space if config.supernet.one_stage else config.supernet
    try:
        network = scale_network(
            network,
            width=base.width,
            head_width=base.head_width,
            classes=DIGITS,  # any: what depends on it is of the same size in both
            input_size=config.supernet.input_size,
            anchor_scale=two_stage.anchor_scale,
        )
    except DetSearchError:
        return  # `choose_network` says it
    reason = SubnetSpace.whole(pool.space, DIGITS).misfit(network)
    if reason:
        yield outside_pool(reason)


def in_one_list(wrong: Sequence[str]) -> str:
    """The message that no job is started for."""
    return "\n  - ".join(["settings that cannot be used; no job was started:", *wrong])


def unshared(config: Config, rules: Collection[str]) -> Iterator[tuple[str, str]]:
    """Batches that the processes of a training cannot share: key, and a sentence."""
    gpus, reference = config.run.gpus, config.run.reference_gpus or config.run.gpus
    for key, each in _trainings(config, rules).items():
        try:
            batch = scaled(each.section, gpus, reference, key)[0].batch_size
        except DetSearchError as error:
            yield f"{key}.batch_size", str(error).removeprefix(f"{key}.batch_size ")
            continue
        for processes in sorted(each.processes):
            if batch % processes:
                yield (
                    f"{key}.batch_size",
                    f"is {batch} images, which {processes} processes cannot share evenly: take a multiple",
                )


def remarks(config: Config, rules: Collection[str]) -> Iterator[str]:
    """Settings that are rarely meant, whatever the data: the key, what it is, what is usual."""
    normalization = config.normalization
    for key, usual in (("mean", [123.675, 116.28, 103.53]), ("std", [58.395, 57.12, 57.375])):
        values = getattr(normalization, key)
        if max(values) <= 1 and any(values):
            yield (
                f"normalization.{key} is {list(values)}, in fractions of one; pixels are 0 to 255: usual is "
                f"{usual}"
            )
    for key, each in _trainings(config, rules).items():
        optimizer = each.section.optimizer
        low, high, usual = USUAL_RATES[optimizer.type]
        if not low <= optimizer.lr <= high:
            yield f"{key}.optimizer.lr is {optimizer.lr:g}; with {optimizer.type} usual is {usual}"
    longest, shortest = max(config.detector.image_scale), min(config.detector.image_scale)
    height, width = config.supernet.input_size
    factor = height * width / (longest * shortest)
    if not 1 / COST_SIZES <= factor <= COST_SIZES:
        yield (
            f"supernet.input_size is [{height}, {width}], at which the search counts costs, but "
            f"detector.image_scale is [{longest}, {shortest}]: usual is the same size as height and width, "
            "in multiples of 32"
        )
