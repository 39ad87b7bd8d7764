"""Key `pretrained` of networks that are trained in the run: the backbone weights that they start from."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.base import Section
from pipeline.config.detector import DetectorSections


class Freezing(Section):
    """What of a pretrained backbone its training leaves as it is, in mmdet's words."""

    frozen_stages: int = Field(
        default=-1,
        ge=-1,
        le=4,
        description="0 freezes the stem, n also the first n stages: weights and batch statistics; -1 nothing",
    )
    norm_eval: bool = Field(
        default=False,
        description="whether the backbone normalises with the statistics of the checkpoint, in training too",
    )


class Pretrained(Freezing):
    """Backbone weights of elsewhere. Relative paths start at the working directory."""

    checkpoint: str = Field(
        min_length=1,
        description="file of a backbone, or of a whole detector or classifier with one: torchvision's, "
        "mmdet's or this project's; safetensors, or a PyTorch file of which nothing is run",
    )

    @property
    def freezing(self) -> Freezing:
        """The part that the training is told."""
        return Freezing(frozen_stages=self.frozen_stages, norm_eval=self.norm_eval)


def nothing_given(pretrained: Freezing | None) -> bool:
    """Whether a network starts from its initialisation: what is told of it is then as it always was."""
    return pretrained is None


class StartingSections(DetectorSections):
    """What a stage uses that trains a detector from a start which the config may give."""

    freezing: Freezing | None = Field(default=None, exclude_if=nothing_given)
