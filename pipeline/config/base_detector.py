"""Section `base_detector`: the detector that Joint-DetNAS upgrades (section 4.2)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from pipeline.config.base import Section
from pipeline.config.distillation import StudentTrainingConfig
from pipeline.config.pretrained import Pretrained

BaseNetwork = Literal[
    "fpn_mobilenetv2",
    "fpn_r101",
    "fpn_r152",
    "fpn_r18",
    "fpn_r50_2fc",
    "fpn_r50_4conv1fc",
    "fpn_x101_32x4d",
]
"""The networks of the zoo whose backbones the student's actions can change."""


class MmdetDetector(Section):
    """A trained detector of the user's own. Relative paths start at the working directory."""

    config: str = Field(
        min_length=1,
        description="mmdet config of a Faster R-CNN with FPN on a ResNet, ResNeXt or MobileNetV2; "
        "it is Python, and is run",
    )
    checkpoint: str = Field(
        min_length=1,
        description="its weights: as mmdet writes them (.pth), or safetensors; nothing of it is run",
    )
    input_size: tuple[PositiveInt, PositiveInt] = Field(
        default=(800, 1216), description="height and width at which its costs are counted, pixels"
    )

    @model_validator(mode="after")
    def _divisible(self) -> MmdetDetector:
        if any(side % 32 for side in self.input_size):
            raise ValueError(
                f"input_size must be multiples of 32, the coarsest stride, not {list(self.input_size)}"
            )
        return self


class BaseDetectorConfig(Section):
    """Where the search begins: a network of the zoo, trained in the run, or a trained detector."""

    source: Literal["zoo", "mmdet"] = Field(
        default="zoo",
        description="`zoo`: `network`, trained on the detection data; `mmdet`: your own detector",
    )
    network: BaseNetwork = Field(default="fpn_r50_2fc", description="used with `source: zoo`")
    width: float = Field(
        default=1.0, gt=0, description="used with `source: zoo`, as those of `baselines`"
    )
    head_width: float = Field(
        default=1.0, gt=0, description="factor of all channels of neck, RPN and head"
    )
    # the baselines' "2x+ms": 24 epochs, several scales
    training: StudentTrainingConfig = Field(
        default=StudentTrainingConfig(epochs=24), description="used with `source: zoo`"
    )
    pretrained: Pretrained | None = Field(
        default=None,
        description="weights that the backbone starts from, used with `source: zoo`; null: none",
    )
    mmdet: MmdetDetector | None = Field(default=None, description="used with `source: mmdet`")

    @model_validator(mode="after")
    def _source_is_described(self) -> BaseDetectorConfig:
        if self.source == "mmdet" and self.mmdet is None:
            raise ValueError("source is mmdet, but there is no section `mmdet`")
        return self
