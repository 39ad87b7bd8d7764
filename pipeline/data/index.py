"""`dataset.json`: what later stages know of a prepared dataset. Format: docs/reference/formats.md."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipeline.artifacts.errors import ArtifactError
from pipeline.config.data import DetectionSourceName

FILE_NAME = "dataset.json"

Split = Literal["train", "val", "test"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _DetectionSplit(_Record):
    annotations: str
    images: str


class _ClassificationSplit(_Record):
    folder: str


class _Content(_Record):
    format: Literal[1] = 1
    source: DetectionSourceName | Literal["image_folder", "crops"]
    classes: tuple[str, ...] = Field(min_length=1)
    statistics: dict[str, dict[str, int]]


class DetectionContent(_Content):
    """The file of a detection dataset; `classes` in the order of the annotation files."""

    kind: Literal["detection"] = "detection"
    splits: dict[Split, _DetectionSplit]


class ClassificationContent(_Content):
    """The file of a classification dataset; `classes` sorted."""

    kind: Literal["classification"] = "classification"
    splits: dict[Literal["train", "val"], _ClassificationSplit]


_FILE: TypeAdapter[DetectionContent | ClassificationContent] = TypeAdapter(
    Annotated[DetectionContent | ClassificationContent, Field(discriminator="kind")]
)


@dataclass(frozen=True)
class SplitPaths:
    """One split of a detection dataset.

    Attributes:
        annotations: COCO instances file, absolute.
        images: Folder that its `file_name` entries start at, absolute.
    """

    annotations: Path
    images: Path


@dataclass(frozen=True)
class DatasetIndex:
    """A prepared dataset, read from its `dataset.json`."""

    path: Path
    content: DetectionContent | ClassificationContent

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a `dataset.json`.

        Raises:
            FileNotFoundError: There is no such file.
            ArtifactError: The file is not in the format.
        """
        try:
            return cls(path.absolute(), _FILE.validate_json(path.read_bytes()))
        except ValidationError as error:
            raise ArtifactError(f"{path} is not a dataset index: {error}") from error

    @property
    def kind(self) -> Literal["detection", "classification"]:
        """What the dataset is for."""
        return self.content.kind

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; the position of a name is the label of the network."""
        return self.content.classes

    @property
    def statistics(self) -> dict[str, dict[str, int]]:
        """Counts by split: `images`, and for detection `objects`, `small`, `medium`, `large`."""
        return self.content.statistics

    @property
    def evaluation_split(self) -> Literal["val", "test"]:
        """The split that detectors are evaluated on: `test` where there is one."""
        return "test" if "test" in self.content.splits else "val"

    def split(self, name: Split) -> SplitPaths:
        """Where a split of a detection dataset lies.

        Raises:
            ValueError: This is a classification dataset.
        """
        if isinstance(self.content, ClassificationContent):
            raise ValueError(f"{self.path} is a classification dataset; a detection one is needed")
        split = self.content.splits[name]
        return SplitPaths(self._absolute(split.annotations), self._absolute(split.images))

    def folder(self, name: Literal["train", "val"]) -> Path:
        """The ImageFolder, absolute, of a split of a classification dataset.

        Raises:
            ValueError: This is a detection dataset.
        """
        if isinstance(self.content, DetectionContent):
            raise ValueError(f"{self.path} is a detection dataset; a classification one is needed")
        return self._absolute(self.content.splits[name].folder)

    def _absolute(self, path: str) -> Path:
        return self.path.parent / path
