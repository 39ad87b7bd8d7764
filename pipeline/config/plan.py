"""Section `plan`: what `snakemake plan` assumes about devices and datasets."""

from __future__ import annotations

from pydantic import Field, PositiveFloat, PositiveInt

from pipeline.config.base import Section


class PlanConfig(Section):
    """Assumptions of the plan; nothing that is trained depends on them.

    Those of a GPU are measured ones, of an H200 in float32 (docs/reference/gpu.md): state your card's.
    """

    gpus: PositiveInt | None = Field(
        default=None, description="GPUs that all jobs together may use; null: as many as run.gpus"
    )
    cards: tuple[PositiveFloat, ...] = Field(
        default=(24.0, 11.0),
        description="GiB of GPUs for which the plan says what would make each stage fit",
    )
    front: bool = Field(
        default=False, description="whether `snakemake front` is counted, with the pool it searches"
    )
    gpu_gmacs: PositiveFloat = Field(
        default=13400.0,
        description="10⁹ multiply-accumulates a second of dense convolutions that a GPU sustains in "
        "training, all else that a network does included",
    )
    gpu_depthwise_gmacs: PositiveFloat = Field(
        default=750.0, description="the same of depthwise convolutions"
    )
    cpu_gmacs: PositiveFloat = Field(
        default=10.0,
        description="the same of the CPU cores of a job, of convolutions of every kind",
    )
    train_images: PositiveInt | None = Field(
        default=None, description="of data.detection; null: counted"
    )
    val_images: PositiveInt | None = Field(default=None, description="the same of val")
    test_images: PositiveInt | None = Field(default=None, description="the same of test")
    classification_images: PositiveInt | None = Field(
        default=None, description="of data.classification, training; null: counted"
    )
