"""A row of the table of bad inputs: what is wrong, how to make it so, who meets it, what must be said.

To add a row: write what spoils a sound `World` (its files or its config), the command that meets it
(`config`, or a stage of `bad_input_world.STAGES`), and parts of the one error: the place, what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from bad_input_world import World

from pipeline.artifacts.weights import save_weights
from pipeline.detection.builder import build_backbone

DETECTION, CLASSIFICATION, WEIGHTS = (
    "prepare_detection_data",
    "prepare_classification_data",
    "import_weights",
)
"""Stages that meet bad input."""

Spoil = Callable[[World], object]


@dataclass(frozen=True)
class Row:
    """One bad input.

    Attributes:
        name: what is wrong; the test's id.
        spoil: makes it so in a sound world.
        command: `config`, the name of the stage that meets it, or another of `World.attempt`.
        message: parts that the one error holds: the place, what is wrong there, what is allowed.
        line: arguments of the command; those of a stage come after the ones that its rule writes.
        slow: the stage imports mmdet, which takes seconds.
    """

    name: str
    spoil: Spoil
    command: str
    message: tuple[str, ...]
    line: tuple[str, ...] = ()
    slow: bool = False


def cut(path: str, share: float) -> Spoil:
    """Keep the first part of a file only, as an interrupted copy does."""

    def spoil(world: World) -> None:
        file = world.folder / path
        content = file.read_bytes()
        file.write_bytes(content[: int(share * len(content))])

    return spoil


def write(path: str, content: bytes) -> Spoil:
    """Put other content into a file."""
    return lambda world: (world.folder / path).write_bytes(content)


def edit(split: str, section: str, position: int, **values: Any) -> Spoil:
    """Change an entry of an annotation file."""
    return lambda world: world.edit(
        split, lambda content: content[section][position].update(values)
    )


def configure(**values: Any) -> Spoil:
    """Set values of the config; a double underscore in a name stands for a dot."""

    def spoil(world: World) -> None:
        for name, value in values.items():
            world.set(name.replace("__", "."), value)

    return spoil


def checkpoint(content: Any, name: str = "data/given.pth") -> Spoil:
    """Give a PyTorch checkpoint of the derived backbone with this content."""

    def spoil(world: World) -> None:
        torch.save(content, world.folder / name)
        _give(world, name)

    return spoil


def checkpoint_bytes(name: str, content: bytes) -> Spoil:
    """Give a checkpoint file with these bytes."""

    def spoil(world: World) -> None:
        (world.folder / name).write_bytes(content)
        _give(world, name)

    return spoil


def cut_checkpoint(name: str, share: float) -> Spoil:
    """Give a checkpoint of which only the first part was copied."""

    def spoil(world: World) -> None:
        weights = {"stem.0.weight": torch.arange(4000.0)}
        file = world.folder / name
        if file.suffix == ".safetensors":
            save_weights(file, weights)
        else:
            torch.save(weights, file)
        cut(name, share)(world)
        _give(world, name)

    return spoil


def foreign_backbone(world: World) -> None:
    """Import weights of nearly the same backbone: one tensor gone, one too many, one of another shape."""
    weights = build_backbone(world.architecture()).state_dict()
    weights["fc.weight"] = torch.ones(2, 4)
    weights["stem.0.weight"] = torch.ones(8, 3, 3, 3)
    del weights["stem.1.weight"]
    torch.save({"state_dict": weights}, world.folder / "data/given.pth")
    _give(world, "data/given.pth")
    assert world.attempt(WEIGHTS).code == 0


def _give(world: World, name: str) -> None:
    world.source("checkpoint")
    world.set("data.classification.checkpoint.backbone", name)


class Payload:
    """An object that runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code of the checkpoint ran",))
