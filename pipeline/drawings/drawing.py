"""What a drawing is: a function of artifacts that gives a table and a figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pipeline.artifacts.publish import Content
from pipeline.config.base import Section
from pipeline.report.svg import Figure
from pipeline.report.tables import Table

S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Given(Generic[S]):
    """What a drawing works with.

    Attributes:
        name: of the drawing, such as `hit_table1`.
        settings: its sections of the config.
        one: folders of the artifacts that are given by themselves, by name.
        several: folders of artifacts that are given in groups, by group and name, in their order.
    """

    name: str
    settings: S
    one: Mapping[str, Path] = field(default_factory=dict)
    several: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawn:
    """A table and a figure, and further files by name."""

    table: Table
    figure: Figure
    further: Mapping[str, Content] = field(default_factory=dict)

    def files(self, name: str) -> dict[str, Content]:
        """The files to publish, table and figure under the drawing's name."""
        return {
            **self.further,
            f"{name}.csv": self.table.csv(),
            f"{name}.svg": self.figure.file(),
        }


@dataclass(frozen=True)
class Drawing(Generic[S]):
    """A function, and the model of the settings that it takes."""

    draw: Callable[[Given[S]], Drawn]
    settings: type[S]

    def __call__(
        self,
        name: str,
        settings: Mapping[str, Any],
        one: Mapping[str, Path],
        several: Mapping[str, Mapping[str, Path]],
    ) -> Drawn:
        """Draw.

        Raises:
            pydantic.ValidationError: the settings do not fit.
            ArtifactError: an artifact is damaged or of another kind.
        """
        return self.draw(Given(name, self.settings.model_validate(settings), one, several))
