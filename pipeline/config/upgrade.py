"""Section `upgrade`: what the target of that name makes of the search's student (section 4.2.3)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt, model_validator

from pipeline.config.base import Section
from pipeline.config.distillation import StudentTrainingConfig


class UpgradeConfig(Section):
    """A cascade of heads, deformable convolutions, and further epochs with the pool's largest net."""

    cascade: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        default=(0.5, 0.6, 0.7),
        min_length=1,
        description="IoU from which on a proposal counts as an object, of each stage of the cascade; "
        "one alone: no cascade",
    )
    deformable_stages: tuple[PositiveInt, ...] = Field(
        default=(3, 4),
        description="backbone stages whose 3×3 convolutions become deformable (ResNet and ResNeXt)",
    )
    # the paper: 16 epochs
    training: StudentTrainingConfig = Field(
        default=StudentTrainingConfig(epochs=16, sparsity=0.0),
        description="after the upgrade, with the pool's largest net as teacher",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> UpgradeConfig:
        if list(self.cascade) != sorted(set(self.cascade)):
            raise ValueError(f"the IoUs of the cascade must rise, not {list(self.cascade)}")
        if len(set(self.deformable_stages)) < len(self.deformable_stages):
            raise ValueError("deformable_stages must differ")
        return self
