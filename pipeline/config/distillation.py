"""Distillation of a detector, and the training of a student: parts of the sections of Joint-DetNAS."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from pipeline.config.base import Section
from pipeline.config.optimization import Training

Resolution = tuple[PositiveInt, PositiveInt]
"""Longest and shortest side that an image is resized to, pixels, as in `detector.image_scale`."""


class DistillationConfig(Section):
    """Weights of the distillation losses beside the detection loss (Joint-DetNAS, section 3.2).

    The paper adds all terms with weight 1 (section 3.3), and softens scores with no temperature.
    """

    features: float = Field(
        default=1.0, ge=0, description="weight of L_feat, a sum over channels and levels"
    )
    feature_distance: Literal["sum", "relative"] = Field(
        default="sum",
        description="L_feat as printed, or as a share of the teacher's own features, averaged over levels: "
        "then its size depends on no network's width, depth or scale",
        exclude_if="sum".__eq__,
    )
    classes: float = Field(default=1.0, ge=0, description="weight of L_cls, soft cross entropy")
    boxes: float = Field(
        default=1.0, ge=0, description="weight of L_reg, class-aware box regression"
    )
    imitation: float = Field(
        default=0.0,
        ge=0,
        description="weight of fine-grained feature imitation (Wang et al. 2019: 0.01), which the paper "
        "compares with",
        exclude_if=(0.0).__eq__,
    )

    @property
    def teaches(self) -> bool:
        """Whether any term weighs something; if none does, no teacher is run."""
        return any((self.features, self.classes, self.boxes, self.imitation))


class StudentTrainingConfig(Training):
    """Training of a student with its teacher (Joint-DetNAS, sections 3.1.2, 3.3 and 4)."""

    epochs: PositiveInt = Field(default=3, description="passes over the training set")
    distillation: DistillationConfig = DistillationConfig()
    sparsity: float = Field(
        default=1e-5, ge=0, description="λ of the sum of |γ| over the backbone's batch norms"
    )
    # those that the paper names
    resolutions: tuple[Resolution, ...] = Field(
        default=((800, 600), (1080, 720), (1333, 800)),
        min_length=1,
        description="longest and shortest sides of the images, pixels: a step draws one of them, "
        "the validation runs at each",
    )

    @model_validator(mode="after")
    def _resolutions_differ(self) -> StudentTrainingConfig:
        if len(set(self.resolutions)) < len(self.resolutions):
            raise ValueError("resolutions must differ")
        for longest, shortest in self.resolutions:
            if longest < shortest:
                raise ValueError(
                    f"resolutions: [{longest}, {shortest}] must have the longest side first"
                )
        return self
