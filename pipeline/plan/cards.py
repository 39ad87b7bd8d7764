"""What would make a stage fit a smaller GPU: settings that save memory, and what is left with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from pipeline.config.root import Config
from pipeline.config.sections import changed
from pipeline.plan.images import Images
from pipeline.plan.planned import Planned
from pipeline.plan.stages import planned_stages
from pipeline.plan.table import GIB, aligned, number

SPARE = 1.5
"""Times the reckoned memory that a card should have: so much more a GPU took (docs/reference/gpu.md)."""
MICRO_BATCHES = (4, 2, 1)


@dataclass(frozen=True)
class Lever:
    """Settings that save memory, on top of those of the levers before.

    Attributes:
        name: as the config writes it.
        settings: by dotted path.
    """

    name: str
    settings: Mapping[str, Any]


def levers(config: Config, largest: int) -> list[Lever]:
    """Those that a config leaves, in the order in which one would try them: the same sums come first.

    Args:
        config: of the run.
        largest: images that a GPU takes at once in one of its stages, the most.
    """
    run = config.run
    found = []
    if config.supernet.execution != "recompute":
        found.append(Lever("supernet.execution: recompute", {"supernet.execution": "recompute"}))
    if run.precision != "bf16":
        found.append(Lever("run.precision: bf16", {"run.precision": "bf16"}))
    for size in MICRO_BATCHES:
        if size >= min(run.micro_batch or largest, largest):
            continue
        settings = {
            "run.micro_batch": size,
            "run.validation_batch_size": min(run.validation_batch_size or size, size),
            "evaluation.batch_size": min(config.evaluation.batch_size, size),
        }
        found.append(Lever(f"run.micro_batch: {size}", settings))
    return found


def with_levers(config: Config, images: Images) -> list[tuple[str, dict[str, float]]]:
    """GiB of each stage as configured, and with each lever on top of those before it.

    Args:
        config: of the run.
        images: of its datasets.
    """
    stages = planned_stages(config, images)
    found = [("as configured", _gib(stages))]
    settings: dict[str, Any] = {}
    for lever in levers(config, max((stage.images for stage in stages), default=1)):
        settings |= lever.settings
        found.append((lever.name, _gib(planned_stages(changed(config, settings), images))))
    return found


def _gib(stages: Sequence[Planned]) -> dict[str, float]:
    return {stage.name: stage.memory / GIB for stage in stages}


def card_advice(config: Config, images: Images) -> str:
    """What each stage takes with each lever, and what makes it fit each of `plan.cards`."""
    found = with_levers(config, images)
    (_, now), *_ = found
    header = ("GiB a GPU, each column with those before", *(name for name, _ in found))
    table = [
        header,
        *((stage, *(number(gib[stage]) for _, gib in found)) for stage in now),
    ]
    lines = [
        aligned(table),
        "",
        f"A card should have {SPARE:g} times as much: by so much a GPU took more where it was measured"
        " (docs/reference/gpu.md).",
        "With a micro-batch, run.validation_batch_size and evaluation.batch_size are taken to be no greater."
        " Batch statistics are of a micro-batch.",
    ]
    for card in config.plan.cards:
        lines += _for_card(card, found)
    return "\n".join(lines)


def _for_card(card: float, found: Sequence[tuple[str, Mapping[str, float]]]) -> list[str]:
    """A sentence for each lever by the stages that need it on a card of so many GiB."""
    (_, now), *_ = found
    needed: dict[str, list[str]] = {}
    for stage in now:
        fits = (name for name, gib in found if SPARE * gib[stage] <= card)
        needed.setdefault(next(fits, "more than these"), []).append(stage)
    lines = [f"{card:g} GiB:"]
    for name in (*(name for name, _ in found), "more than these"):
        if stages := needed.get(name):
            told = f"with {name}" if name.startswith(("run.", "supernet.")) else name
            listed = "every stage" if len(stages) == len(now) else ", ".join(stages)
            lines += wrap(f"{told}: {listed}", 110, initial_indent="  ", subsequent_indent="    ")
    return lines
