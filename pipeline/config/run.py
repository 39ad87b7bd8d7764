"""Section `run`: where results go, the seed, the device, and how every stage computes on it."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from pipeline.config.base import Section

Method = Literal["hit_detector", "joint_detnas", "front"]
METHODS = ({"hit_detector"}, {"hit_detector", "joint_detnas"}, {"front"})
"""What a run may be of. The report needs a searched detector; a front has a page of its own."""
NAME = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$"
LONGEST = 100
"""Characters of a run's name: paths below it stay within what file systems take."""


class Computing(Section):
    """How every training and every evaluation computes, whatever it computes.

    A stage is given what differs from the default: only then is it part of what the result depends on.
    """

    precision: Literal["float32", "bf16"] = Field(
        default="float32",
        description="of the convolutions and matrix products in backbone, neck, heads and teacher; boxes, "
        "their coordinates, losses, batch statistics and what updates weights and α stay in float32",
    )
    deterministic: Literal["auto"] | bool = Field(
        default="auto",
        description="whether only algorithms run that give the same bits every time; auto: on CPUs",
    )

    validation_batch_size: PositiveInt | None = Field(
        default=None,
        description="images at once on each GPU in the validations of a training; null: those of a step",
    )

    batch_norm: Literal["synchronised", "per_gpu"] = Field(
        default="synchronised",
        description="whether training takes batch statistics over all GPUs' images, or over each one's own",
    )
    micro_batch: PositiveInt | None = Field(
        default=None,
        description="images that a GPU takes at once in training, with one update for the whole batch; batch "
        "statistics are then of so many images; null: all of its share",
    )

    def chosen(self) -> dict[str, Any]:
        """What differs from the default."""
        own = {name: getattr(self, name) for name in Computing.model_fields}
        return Computing(**own).model_dump(mode="json", exclude_defaults=True)


class RunConfig(Computing):
    """What holds for every stage of a run."""

    name: str = Field(
        default="embedded",
        description="results go to results/<name>/",
        json_schema_extra={"pattern": NAME, "maxLength": LONGEST},
    )
    methods: tuple[Method, ...] = Field(
        default=("hit_detector", "joint_detnas"),
        description="what the default target runs: [hit_detector] or [hit_detector, joint_detnas] and "
        "the report of them, or [front], which has a page of its own",
    )
    seed: int = Field(default=0, ge=0, description="every random draw of the run derives from it")
    seeds: tuple[int, ...] = Field(
        default=(),
        description="seeds of `python -m pipeline.seeds`, which runs the chain with each; `seed` among them",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto takes a GPU where one is visible"
    )
    gpus: int = Field(
        default=1,
        ge=1,
        description="GPUs of a stage that trains; with device cpu, as many processes",
    )
    reference_gpus: int | None = Field(
        default=None,
        ge=1,
        description="GPUs for which batch sizes and learning rates are written; with others both "
        "are scaled in proportion (the linear rule); null: as many as `gpus`",
    )
    cpus: int = Field(default=2, ge=1, description="CPU cores of a stage that trains")
    track_code: bool = Field(
        default=True, description="whether a change of a stage's code makes its results stale"
    )
    fork_server: bool = Field(
        default=True,
        description="on one machine: import the libraries once, and fork for every stage (Linux)",
    )
    checkpoint_seconds: float = Field(
        default=60.0, gt=0, description="seconds between two checkpoints of a training stage"
    )

    @field_validator("methods")
    @classmethod
    def _go_together(cls, methods: tuple[Method, ...]) -> tuple[Method, ...]:
        if len(set(methods)) != len(methods) or set(methods) not in METHODS:
            raise ValueError(
                "write [hit_detector], [hit_detector, joint_detnas] or [front]: the report needs a searched "
                "detector; Joint-DetNAS alone is the target `joint_detnas`, and `report: {front: true}` adds "
                "the front to the report"
            )
        return methods

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        # fullmatch: `$` alone lets a line break at the end pass
        if len(name) > LONGEST or not re.fullmatch(NAME.strip("^$"), name):
            raise ValueError(
                "a run's name is made of letters (A to Z), digits, dots, underscores and hyphens, does not "
                f"begin with a dot, and has at most {LONGEST} characters"
            )
        return name

    @model_validator(mode="after")
    def _seeds_hold_the_runs_own(self) -> RunConfig:
        if self.seeds and (
            self.seed not in self.seeds
            or len(set(self.seeds)) != len(self.seeds)
            or min(self.seeds) < 0
        ):
            raise ValueError(
                f"seeds are different whole numbers of at least 0, and run.seed ({self.seed}) is among them; "
                f"given: {list(self.seeds)}"
            )
        return self

    def seed_runs(self) -> dict[int, str]:
        """The run's name for each of its seeds: its own for its own, `<name>_seed_<seed>` for others."""
        return {
            seed: self.name if seed == self.seed else f"{self.name}_seed_{seed}"
            for seed in self.seeds
        }
