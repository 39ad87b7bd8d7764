"""Publish a component's sub search space as the config states it, in place of a screening."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.hit_detector.spaces import stated_space
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ComponentName
from pipeline.search_space.names import OperationName


class Settings(Section):
    """The component, and its operations."""

    component: ComponentName
    # a single one where a component is held while another is searched
    space: Annotated[tuple[OperationName, ...], Field(min_length=1)]


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Publish it as a screening does."""
    space = stated_space(stage.settings.component, stage.settings.space)
    return {"sub_search_space.json": json_bytes(space)}


if __name__ == "__main__":
    stage_main(run, Settings)
