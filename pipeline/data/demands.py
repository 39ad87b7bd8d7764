"""What a run's trainings ask of its data, against what is there: told before the first training starts.

It decides no result: what is not met would end a training hours later, and the rest are warnings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import PositiveInt, ValidationError

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import read_bytes, write_text
from pipeline.config.base import Section
from pipeline.config.data import CropsClassification
from pipeline.data.defects import Defect

FILE = "logs/demands.json"
"""In the run's folder; the driver writes it, the stages that prepare data read it."""
KIND = "setting that the data do not allow"
LARGEST, LEAST = 2.5, 0.25
"""By which factors images are resized before a warning: the paper's COCO images by 1.7."""

Of = Literal["train", "half", "listed", "classification"]
"""Training images with a box; half of them; all that are listed; those that classify."""


class Batch(Section):
    """So many images at once.

    Attributes:
        key: of the config.
        images: the least number that there must be.
        of: which images.
    """

    key: str
    images: PositiveInt
    of: Of


class Demands(Section):
    """What the trainings of a run ask of the data.

    Attributes:
        batches: numbers of images.
        scales: longest and shortest side that images are resized to, by the config's key.
        crops: of which boxes the classification data are made; None where they are not.
    """

    batches: tuple[Batch, ...] = ()
    scales: Mapping[str, tuple[int, int]] = {}
    crops: CropsClassification | None = None

    def write(self, run: Path) -> None:
        """Put them into the run's folder.

        Raises:
            PublishError: the system refuses to write.
        """
        write_text(run / FILE, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, run: Path) -> Demands:
        """Those of a run; none where a stage is started without a driver.

        Raises:
            ArtifactError: the file is damaged.
        """
        path = run / FILE
        if not path.exists():
            return cls()
        try:
            return cls.model_validate_json(read_bytes(path))
        except ValidationError as error:
            raise ArtifactError(f"{path} is damaged: {error.error_count()} mistakes") from error


@dataclass(frozen=True)
class Counts:
    """What there is.

    Attributes:
        listed: training images that the annotation file lists; None where it is not known yet.
        with_boxes: those of them that hold a box: trainings of detectors see no others.
        size: median width and height of the training images, pixels.
        classification: training images of the classification dataset.
    """

    listed: int | None = None
    with_boxes: int | None = None
    size: tuple[int, int] | None = None
    classification: int | None = None

    @classmethod
    def of_statistics(
        cls, detection: Mapping[str, int] | None, classification: Mapping[str, int] | None = None
    ) -> Counts:
        """From the `statistics` of the training splits in `dataset.json`."""
        found: Mapping[str, int] = detection or {}
        width, height = found.get("median_width"), found.get("median_height")
        return cls(
            listed=found.get("images"),
            with_boxes=found.get("with_boxes"),
            size=(width, height) if width and height else None,
            classification=(classification or {}).get("images"),
        )

    def of(self, which: Of) -> tuple[int | None, str]:
        """How many images of a kind there are, and what to call them."""
        half = None if self.with_boxes is None else self.with_boxes // 2
        return {
            "train": (self.with_boxes, "training images with a box"),
            "half": (half, f"images in half of the {self.with_boxes} training images with a box"),
            "listed": (self.listed, "training images"),
            "classification": (self.classification, "images to pretrain on"),
        }[which]


def unmet(demands: Demands, there: Counts) -> Iterator[tuple[str, str]]:
    """The settings that the data do not allow: key, and a sentence."""
    for batch in demands.batches:
        found, name = there.of(batch.of)
        if found is not None and found < batch.images:
            yield batch.key, f"asks for {batch.images} images at once, and there are {found} {name}"


def remarks(demands: Demands, there: Counts) -> Iterator[str]:
    """Settings that the data allow, and that are rarely meant."""
    for batch in demands.batches:
        found, name = there.of(batch.of)
        if found is not None and batch.of != "listed" and found / 2 < batch.images <= found:
            yield (
                f"{batch.key} is {batch.images}, more than half of the {found} {name}: an epoch is one "
                f"step; usual are ten and more steps, here at most {max(1, found // 10)}"
            )
    if there.size is None:
        return
    width, height = there.size
    for key, scale in demands.scales.items():
        factor = min(max(scale) / max(there.size), min(scale) / min(there.size))
        told = (
            f"{key} is {list(scale)}, and half of the training images are about {width} x {height}: "
            f"they are resized by {factor:.2g}"
        )
        if factor > LARGEST:
            yield f"{told}; usual are sizes near the images', [{max(there.size)}, {min(there.size)}]"
        if factor < LEAST:
            yield f"{told}, and small objects with them; a larger scale takes more memory and time"


def defects_of(demands: Demands, there: Counts, file: Path) -> list[Defect]:
    """The demands that are not met, as defects of the file to name."""
    return [Defect(KIND, "train", file, key, told) for key, told in unmet(demands, there)]
