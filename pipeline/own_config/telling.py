"""What is said of a user's data, and of a config that was written for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.console import counted, one_line
from pipeline.own_config.choices import Choices
from pipeline.own_config.commands import doctor_command, front_command, plan_command
from pipeline.own_config.given import FORMATS
from pipeline.own_config.lengths import MOST_EPOCHS
from pipeline.own_config.sizes import LEAST_OBJECT
from pipeline.own_config.text import rounded

CLASSES_SHOWN = 10


def told(choices: Choices, side: int | None, out: Path | None) -> Iterator[str]:
    """What was found and chosen, what is to be looked at, and what to do next, a line each.

    Args:
        choices: of the config.
        side: that was asked for.
        out: the file that was written; None where there is none.
    """
    survey, sizes, lengths = choices.survey, choices.sizes, choices.lengths
    yield (
        f"data: {counted(sum(survey.images.values()), 'image')} in {FORMATS[choices.data['source']]}, "
        f"{counted(len(survey.objects), 'object')} of {counted(len(survey.classes), 'class', 'classes')}: "
        f"{_classes(survey.classes)}"
    )
    if names := choices.data[choices.data["source"]].get("names"):
        yield f"class names: {names}"
    splits = ", ".join(f"{split} {number:,}" for split, number in survey.images.items())
    yield f"splits: {splits} images; {survey.trained:,} of train have an object, and are trained on"
    shown = ", ".join(f"{longest} × {shortest}" for longest, shortest in sizes.resolutions)
    yield (
        f"sizes: the median image has {survey.longest} × {survey.shortest} pixels; "
        f"networks see {shown}"
    )
    yield (
        f"objects: the median one has {rounded(sizes.median_object)} pixels at "
        f"{sizes.largest[0]} × {sizes.largest[1]} (square root of its area)"
    )
    device = choices.machine.device
    gpu = choices.machine.gpu[0] if choices.machine.gpu else "a GPU"
    yield (
        f"lengths for {gpu if device == 'cuda' else 'the CPU'}: base {counted(lengths.base, 'epoch')}, "
        f"pool {lengths.phases[0]} and {lengths.phases[1]}, of {counted(lengths.steps, 'step')} of "
        f"{counted(lengths.batch, 'image')}"
    )
    yield from (f"note: {note}" for note in notes(choices, side))
    if out is None:
        yield "next: save this config as a file, with --out FILE"
        return
    yield f"{out}: written; read its comments, flip above all. Next:"
    yield f"  {plan_command(out)}"
    yield f"  {doctor_command(out)}"
    yield f"  {front_command(out, choices.machine.cpus)}"


def _classes(objects: Mapping[str, int]) -> str:
    """The classes with most objects first; the number of objects where there are several."""
    if len(objects) == 1:
        return one_line(*objects)
    ranked = sorted(objects.items(), key=lambda each: -each[1])
    shown = [f"{name} {number:,}" for name, number in ranked[:CLASSES_SHOWN]]
    return one_line(", ".join([*shown, *(["…"] if len(ranked) > CLASSES_SHOWN else [])]))


def notes(choices: Choices, side: int | None) -> Iterator[str]:
    """Sentences about what may not be meant.

    Args:
        choices: of the config.
        side: that was asked for.
    """
    survey, sizes, lengths = choices.survey, choices.sizes, choices.lengths
    longest = sizes.largest[0]
    if survey.division and "split" in choices.data[choices.data["source"]]:
        yield (
            f"the images lie in folders {', '.join(survey.division)}, and are divided anew, whatever the "
            "folder; to keep that division, give annotations and images of each: --annotations, --images, "
            "--val-annotations, --val-images and so on"
        )
    if empty := [name for name, number in survey.classes.items() if not number]:
        shown = one_line(", ".join(empty[:CLASSES_SHOWN])) + (
            ", …" if len(empty) > CLASSES_SHOWN else ""
        )
        yield (
            f"{len(empty)} of {counted(len(survey.classes), 'class', 'classes')} have no object: {shown}; "
            "they cost little, and stay classes that detectors can name"
        )
    if side and side > longest:
        yield f"--side {side} is more than the images have; {longest} is taken"
    if sizes.median_object < LEAST_OBJECT:
        small = (
            f"the median object has {rounded(sizes.median_object)} pixels; below about "
            f"{LEAST_OBJECT:g}, two cells of the finest feature map, detectors find few"
        )
        if sizes.side_for_objects:
            pixels = (sizes.side_for_objects / longest) ** 2
            yield (
                f"{small}: --side {sizes.side_for_objects} makes it {LEAST_OBJECT:g}, and everything "
                f"{rounded(pixels)} times as slow"
            )
        elif longest < survey.longest:
            most = survey.median_object((survey.longest, survey.shortest))
            yield (
                f"{small}: --side {survey.longest}, all that the images have, makes it {rounded(most)}; "
                "photographs from nearer would do more"
            )
        else:
            yield f"{small}; the images have no more pixels: take photographs from nearer"
    if max(lengths.base, *lengths.phases) == MOST_EPOCHS:
        yield (
            f"{counted(survey.trained, 'image')} to train on are few: trainings end after "
            f"{MOST_EPOCHS} epochs, before the usual number of steps"
        )
    if choices.machine.device == "cuda" and not choices.weights:
        yield (
            "with --weights FILE (torchvision's ResNet-50, say) a larger pool starts from ImageNet's weights"
        )
