"""Section `teacher_pool`: the elastic teacher pool of Joint-DetNAS and its progressive shrinking."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from pipeline.config.base import Section
from pipeline.config.distillation import DistillationConfig, Resolution
from pipeline.config.optimization import Optimizer, Training
from pipeline.config.pretrained import Pretrained
from pipeline.config.supernet import Depths

# The paper gives their number (with DESIGN 6) and names 800×600, 1080×720 and 1333×800; the others are ours.
RESOLUTIONS: tuple[Resolution, ...] = (
    (800, 480),
    (800, 600),
    (880, 528),
    (933, 560),
    (1000, 600),
    (1067, 640),
    (1080, 720),
    (1133, 680),
    (1200, 720),
    (1267, 760),
    (1300, 780),
    (1333, 800),
)


def _check_depths(least: Depths, greatest: Depths) -> None:
    for stage, (fewest, most) in enumerate(zip(least, greatest, strict=True), 1):
        if fewest > most:
            raise ValueError(
                f"stage {stage}: least_depths is {fewest}, but greatest_depths only {most}"
            )


def _check_widths(widths: tuple[float, ...]) -> None:
    if list(widths) != sorted(set(widths)):
        raise ValueError(f"widths must rise, not {list(widths)}")


class PoolSpace(Section):
    """The subnets of the pool: Faster R-CNN FPN on ResNets (Joint-DetNAS, sections 3.1.3 and 4)."""

    block: Literal["basic", "bottleneck"] = Field(
        default="bottleneck", description="residual block of every subnet"
    )
    base_channels: PositiveInt = Field(
        default=64,
        description="stem and planes of the first stage at width 1; planes double a stage",
    )
    neck_channels: PositiveInt = Field(default=256, description="pyramid channels at width 1")
    rpn_channels: PositiveInt = 256
    anchor_scale: PositiveInt = Field(
        default=8, description="anchor side in units of the level's stride"
    )
    roi_size: PositiveInt = Field(default=7, description="side of the RoI features")
    head_fc_channels: PositiveInt = Field(
        default=1024, description="outputs of both fully connected layers of the RoI head"
    )
    least_depths: Depths = Field(default=(2, 2, 2, 2), description="fewest blocks of each stage")
    greatest_depths: Depths = Field(default=(3, 4, 23, 3), description="most blocks of each stage")
    widths: tuple[PositiveFloat, ...] = Field(
        default=(1.0, 1.25, 1.5),
        min_length=1,
        description="factors of the channels, chosen for each stage and for the neck",
    )
    resolutions: tuple[Resolution, ...] = Field(
        default=RESOLUTIONS,
        min_length=1,
        description="longest and shortest sides that images are resized to, pixels",
    )

    @model_validator(mode="after")
    def _choices_make_sense(self) -> PoolSpace:
        _check_depths(self.least_depths, self.greatest_depths)
        _check_widths(self.widths)
        if len(set(self.resolutions)) < len(self.resolutions):
            raise ValueError("resolutions must differ")
        for name in ("base_channels", "neck_channels"):
            for width in self.widths:
                channels = getattr(self, name) * width
                if abs(channels - round(channels)) > 1e-9:
                    raise ValueError(
                        f"{name} {getattr(self, name)} times width {width:g} is {channels:g}, "
                        "not a whole number of channels"
                    )
        return self


class ShrinkingPhase(Training):
    """One phase of the integrated progressive shrinking: which subnets it draws, and its training."""

    optimizer: Optimizer = Optimizer(lr=0.01, warmup_iterations=500)
    batch_size: PositiveInt = Field(default=16, description="images a step, over all GPUs")
    least_depths: Depths = Field(description="fewest blocks of each stage that the phase draws")
    widths: tuple[PositiveFloat, ...] = Field(
        min_length=1, description="widths that the phase draws, for each stage and for the neck"
    )
    subnets: PositiveInt = Field(
        default=2, description="subnets drawn a step, each distilled by the largest of phase 0"
    )
    train_largest: bool = Field(
        default=True, description="whether the largest net is trained in each step, too"
    )

    @model_validator(mode="after")
    def _widths_rise(self) -> ShrinkingPhase:
        _check_widths(self.widths)
        return self


class Recalibration(Section):
    """Batch statistics of a subnet are measured anew before it is evaluated or teaches (section 4)."""

    images: PositiveInt = Field(
        default=64, description="training images that the statistics are taken over"
    )
    batch_size: PositiveInt = Field(default=16, description="images at once")


class TeacherPoolConfig(Section):
    """The elastic teacher pool: its space, the phases of its training, and how subnets are used.

    The first phase trains the largest net alone; each later one draws from all that the one before
    drew and more, in depth and width together; the last draws from the whole space.
    """

    space: PoolSpace = PoolSpace()
    # the paper leaves phases to an appendix that is not published: these are ours
    phases: tuple[ShrinkingPhase, ...] = Field(
        default=(
            ShrinkingPhase(
                epochs=24,
                least_depths=(3, 4, 23, 3),
                widths=(1.5,),
                optimizer=Optimizer(
                    lr=0.02, schedule="step", milestones=(16, 22), warmup_iterations=500
                ),
            ),
            ShrinkingPhase(epochs=12, least_depths=(2, 3, 12, 2), widths=(1.25, 1.5)),
            ShrinkingPhase(epochs=12, least_depths=(2, 2, 2, 2), widths=(1.0, 1.25, 1.5)),
        ),
        min_length=1,
        description="integrated progressive shrinking, from the largest net to the whole space",
    )
    pretrained: Pretrained | None = Field(
        default=None,
        description="weights that the largest net's backbone starts from in phase 0; null: none",
    )
    grown_from_base: bool = Field(
        default=False,
        description="whether phase 0 begins with the trained base detector, widened and deepened to the "
        "largest net without changing what it computes; the base must lie inside the space",
    )
    gpus: PositiveInt | None = Field(
        default=None,
        description="GPUs of a phase's job, with the batch and rates of run.gpus; null: run.gpus",
    )
    cpus: PositiveInt | None = Field(
        default=None, description="cores of a phase's job; null: its GPUs' share of run.cpus"
    )
    distillation: DistillationConfig = DistillationConfig()
    recalibration: Recalibration = Recalibration()

    @model_validator(mode="after")
    def _phases_open_the_space(self) -> TeacherPoolConfig:
        if self.grown_from_base and self.pretrained:
            raise ValueError(
                "the pool begins with `pretrained` weights or is `grown_from_base`, not both"
            )
        space = self.space
        depths, widths = space.greatest_depths, set(space.widths[-1:])
        for number, phase in enumerate(self.phases):
            place = f"phases.{number}"
            if number == 0 and (phase.least_depths, set(phase.widths)) != (depths, widths):
                raise ValueError(
                    f"{place} trains the largest net alone: its least_depths must be "
                    f"{list(depths)}, its widths {sorted(widths)}"
                )
            if any(new > old for new, old in zip(phase.least_depths, depths, strict=True)):
                raise ValueError(
                    f"{place}.least_depths must not exceed those of the phase before, {list(depths)}"
                )
            if not widths <= set(phase.widths) <= set(space.widths):
                raise ValueError(
                    f"{place}.widths must hold those of the phase before, {sorted(widths)}, and "
                    f"others of space.widths {list(space.widths)} only"
                )
            depths, widths = phase.least_depths, set(phase.widths)
        if len(self.phases) > 1 and (depths, widths) != (space.least_depths, set(space.widths)):
            raise ValueError(
                f"phases.{len(self.phases) - 1} must open the whole space: least_depths "
                f"{list(space.least_depths)}, widths {list(space.widths)}"
            )
        return self
