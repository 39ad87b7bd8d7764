"""The pool's section: the paper's values by default, and phases that open the space step by step."""

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config.teacher_pool import TeacherPoolConfig


def _content(**changes: Any) -> dict[str, Any]:
    content = TeacherPoolConfig().model_dump(mode="json")
    for path, value in changes.items():
        place: Any = content
        *parents, last = path.split("__")
        for key in parents:
            place = place[int(key) if key.isdigit() else key]
        place[int(last) if last.isdigit() else last] = value
    return content


def test_the_defaults_are_the_paper_s_and_valid() -> None:
    config = TeacherPoolConfig.model_validate(_content())
    assert config == TeacherPoolConfig()
    assert len(config.space.resolutions) == 12
    assert {(1333, 800), (1080, 720), (800, 600)} <= set(config.space.resolutions)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space__widths": [1.0, 1.3]}, r"base_channels 64 times width 1.3 is 83.2, not a whole"),
        ({"space__neck_channels": 250}, r"neck_channels 250 times width 1.25 is 312.5"),
        ({"space__widths": [1.5, 1.0]}, r"widths must rise, not \[1.5, 1.0\]"),
        ({"space__least_depths": [2, 5, 2, 2]}, r"stage 2: least_depths is 5, but .* only 4"),
        ({"space__resolutions": [[64, 64]] * 2}, "resolutions must differ"),
        ({"phases__0__widths": [1.25, 1.5]}, r"phases.0 trains the largest net alone"),
        (
            {"phases__2__least_depths": [2, 4, 2, 2]},
            r"phases.2.least_depths must not exceed .* \[2, 3, 12, 2\]",
        ),
        ({"phases__2__widths": [1.0, 1.5]}, r"phases.2.widths must hold .* \[1.25, 1.5\]"),
        ({"phases__2__widths": [1.25, 1.5]}, r"phases.2 must open the whole space"),
        ({"phases__1__widths": [1.1, 1.5]}, r"of space.widths \[1.0, 1.25, 1.5\] only"),
        ({"phases__1__depth": 3}, "Extra inputs"),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TeacherPoolConfig.model_validate(_content(**changes))
