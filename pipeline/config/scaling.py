"""The linear rule: batch sizes and learning rates in proportion to the number of GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from pipeline.config.base import Section
from pipeline.config.optimization import Training
from pipeline.errors import DetSearchError

S = TypeVar("S", bound=Section)

RATES = ("architecture_lr",)
"""Learning rates of a training section besides its optimiser's."""


def scaled(section: S, gpus: int, reference: int, name: str = "settings") -> tuple[S, list[str]]:
    """A section whose trainings are meant for `reference` GPUs, for `gpus` of them.

    The images a GPU takes in a step stay as many, so the batch grows with the GPUs, and with it the
    learning rates (weights and architecture parameters).

    Args:
        section: with its subsections; those of evaluation are left alone.
        gpus: that there are.
        reference: for which batch sizes and learning rates are written.
        name: of the section, for messages.

    Returns:
        The section, and a line for the log for each training in it.

    Raises:
        DetSearchError: a batch cannot be scaled to whole images.
    """
    if gpus == reference:
        return section, []
    update: dict[str, Any] = {}
    lines: list[str] = []
    for key, part in _parts(section):
        path = key if name == "settings" else f"{name}.{key}"
        update[key], further = scaled(part, gpus, reference, path)
        lines += further
    if isinstance(section, Training):
        batch = section.batch_size * gpus
        if batch % reference:
            raise DetSearchError(
                f"{name}.batch_size is {section.batch_size}, for {reference} GPUs: for {gpus} it would "
                f"be {batch / reference:g} images"
            )
        factor = gpus / reference
        update["batch_size"] = batch // reference
        rate = section.optimizer.lr * factor
        update["optimizer"] = section.optimizer.model_copy(update={"lr": rate})
        update |= {key: getattr(section, key) * factor for key in RATES if hasattr(section, key)}
        lines.append(
            f"{name}: {gpus} GPUs instead of {reference}, so by the linear rule the batch is "
            f"{batch // reference} instead of {section.batch_size}, and the learning rate "
            f"{rate:g} instead of {section.optimizer.lr:g}"
        )
    return section.model_copy(update=update), lines


def _parts(section: Section) -> Iterator[tuple[str, Section]]:
    for key in type(section).model_fields:
        part = getattr(section, key)
        if isinstance(part, Section):
            yield key, part
