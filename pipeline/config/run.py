"""Section `run`: where results go, the seed, the device."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.base import Section


class RunConfig(Section):
    """What holds for every stage of a run."""

    name: str = Field(
        default="embedded",
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$",
        description="results go to results/<name>/",
    )
    seed: int = Field(default=0, ge=0, description="every random draw of the run derives from it")
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
    checkpoint_seconds: float = Field(
        default=60.0, gt=0, description="seconds between two checkpoints of a training stage"
    )
