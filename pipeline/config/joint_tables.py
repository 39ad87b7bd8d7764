"""Section `joint_tables`: what the tables of Joint-DetNAS compare."""

from __future__ import annotations

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from pipeline.config.ablations import Name
from pipeline.config.base import Section
from pipeline.config.distillation import StudentTrainingConfig
from pipeline.config.hill_climb import Percentage

ROWS = ("base", "base_longer", "student", "upgrade")
"""The other rows of Tables 4 and 6."""


class JointTablesConfig(Section):
    """Subnets of the pool and the same networks alone; a student with and without teacher; pruned ones."""

    subnets: PositiveInt = Field(
        default=3, description="subnets drawn from the pool (Table 1: 3 families of them)"
    )
    student: Name = Field(default="r18", description="the baseline that Table 3 trains")
    percentages: tuple[Percentage, ...] = Field(
        default=(10.0, 20.0, 30.0),
        min_length=1,
        description="percent of the base's channels that Table 2 prunes, before `hill_climb.training`",
    )
    baselines: tuple[Name, ...] = Field(
        default=(),
        description="networks of `baselines` that Tables 4 and 6 show beside the student, each trained alone",
    )
    draws: PositiveInt = Field(
        default=50, description="subnets among which the NAS of Table 5's pipeline chooses"
    )
    imitation: PositiveFloat = Field(
        default=0.01,
        description="weight of fine-grained feature imitation, with which Table 3 compares",
    )
    # the baselines' "2x+ms": 24 epochs, several scales
    training: StudentTrainingConfig = Field(
        default=StudentTrainingConfig(epochs=24),
        description="of a network alone, of the student with and without its teacher, and of the "
        "pruned detectors of Table 5",
    )

    @model_validator(mode="after")
    def _rows_differ(self) -> JointTablesConfig:
        for name in self.baselines:
            if name in ROWS or self.baselines.count(name) > 1:
                raise ValueError(f"baselines: {name} is another row's name, or stands there twice")
        return self

    @model_validator(mode="after")
    def _percentages_make_sense(self) -> JointTablesConfig:
        if len(set(self.percentages)) < len(self.percentages):
            raise ValueError("percentages must differ")
        if max(self.percentages) > 50:
            raise ValueError(f"percentages must be at most 50, not {max(self.percentages):g}")
        return self
