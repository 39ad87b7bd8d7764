"""Section `joint_tables`: what Tables 1 and 3 of Joint-DetNAS compare."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from pipeline.config.ablations import Name
from pipeline.config.base import Section
from pipeline.config.distillation import StudentTrainingConfig


class JointTablesConfig(Section):
    """Subnets of the pool against the same networks alone; a student with and without its teacher."""

    subnets: PositiveInt = Field(
        default=3, description="subnets drawn from the pool (Table 1: 3 families of them)"
    )
    student: Name = Field(default="r18", description="the baseline that Table 3 trains")
    # the baselines' "2x+ms": 24 epochs, several scales
    training: StudentTrainingConfig = Field(
        default=StudentTrainingConfig(epochs=24),
        description="of a network alone, and of the student with and without its teacher",
    )
