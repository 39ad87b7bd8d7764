"""A detection dataset of the user's own: in which format it is, where its splits lie."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.base import Section
from pipeline.config.image_limits import MOST_PIXELS, MostPixels, VerifyImages

SplitName = Literal["train", "val", "test"]
Share = Annotated[float, Field(ge=0, lt=1)]


class SplitShares(Section):
    """Splits that are cut from `train`: by image, with a like share of every class."""

    val: Share = Field(default=0.0, description="Share of train's images that become val; 0: none.")
    test: Share = Field(
        default=0.0, description="Share of train's images that become test; 0: none."
    )
    seed: Annotated[int, Field(ge=0, lt=2**31, description="Seed of the division.")] = 0

    @model_validator(mode="after")
    def _something_is_divided(self) -> Self:
        if not self.val and not self.test:
            raise ValueError("val and test are 0, which divides nothing: write val: 0.2, say")
        if self.val + self.test >= 1:
            raise ValueError(
                f"val {self.val:g} and test {self.test:g} leave nothing to train on: their sum must be "
                "below 1, and is usually 0.2 to 0.4"
            )
        return self

    @property
    def parts(self) -> dict[SplitName, float]:
        """The share of every split that is cut, in the order of the splits."""
        shares: dict[SplitName, float] = {"val": self.val, "test": self.test}
        return {name: share for name, share in shares.items() if share}


class CocoSplit(Section):
    """Where one split of a COCO-format dataset lies."""

    annotations: str = Field(
        min_length=1,
        description="COCO instances file (JSON). Relative paths start at the working directory.",
    )
    images: str = Field(
        min_length=1, description="Folder that the `file_name` entries of the images start at."
    )


class ThirdSplit(CocoSplit):
    """A third split, with annotations or without."""

    predict_only: bool = Field(
        default=False,
        description="It has no annotations (COCO's image_info files): `server_results` detects on it, "
        "detectors are evaluated on val.",
    )


class YoloSplit(Section):
    """Where one split of a dataset in YOLO's format lies."""

    annotations: str = Field(
        min_length=1,
        description="Folder of the label files: a `.txt` for each image, under the image's name. "
        "Relative paths start at the working directory.",
    )
    images: str = Field(
        min_length=1,
        description="Folder of the images; it may be that of the labels. Every image in it belongs to the "
        "split; one without a label file has no objects.",
    )


class VocSplit(Section):
    """Where one split of a dataset in Pascal VOC's format lies."""

    annotations: str = Field(
        min_length=1,
        description="Folder of the XML files, one for each image. "
        "Relative paths start at the working directory.",
    )
    images: str = Field(min_length=1, description="Folder of the images, under the XML's names.")
    image_set: str | None = Field(
        default=None,
        min_length=1,
        description="Text file with the names of the split's XML files, without their ending, a line each "
        "(`ImageSets/Main/train.txt`); null: all of the folder.",
        exclude_if=lambda value: value is None,
    )


class OwnDetection(Section):
    """What the formats of a user's own dataset have in common."""

    source: ClassVar[str]
    # narrowed by every format
    train: Any
    val: Any
    test: Any
    split: SplitShares | None = Field(
        default=None,
        description="Cut val, or test, or both from train, where there are no files of their own.",
        exclude_if=lambda value: value is None,
    )
    classes: list[Annotated[str, Field(min_length=1)]] | None = Field(
        default=None,
        min_length=1,
        description="Class names the annotation files must have, in any order; "
        "without it, whatever categories they list.",
    )
    verify_images: VerifyImages = "decode"
    most_pixels: MostPixels = MOST_PIXELS
    tolerated_boxes: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Largest share of a split's boxes that may have no area, be narrower than a pixel or "
        "reach out of their image. Those that no training can use are then left out, of evaluation too. "
        "COCO 2017 has 2 without area among its 860,001 training boxes.",
    )

    @property
    def splits(self) -> Mapping[SplitName, Any]:
        """The splits that have files of their own: `train`, and `val` and `test` where they are given."""
        given: dict[SplitName, Any] = {"train": self.train, "val": self.val, "test": self.test}
        return {name: split for name, split in given.items() if split is not None}

    @property
    def cut(self) -> Mapping[SplitName, float]:
        """The splits that are cut from `train`, with their shares of it."""
        return self.split.parts if self.split else {}

    @property
    def split_names(self) -> list[SplitName]:
        """All splits that there are."""
        order: tuple[SplitName, ...] = ("train", "val", "test")
        return [name for name in order if name in self.splits or name in self.cut]

    def images(self, split: SplitName) -> str:
        """The image folder of a split."""
        return self.splits[split if split in self.splits else "train"].images

    @property
    def annotation_files(self) -> Mapping[str, str]:
        """The user's own files, by split: another content under the same name is another version."""
        return {name: split.annotations for name, split in self.splits.items()}

    @model_validator(mode="after")
    def _every_split_comes_from_one_place(self) -> Self:
        for name, share in self.cut.items():
            if getattr(self, name) is not None:
                raise ValueError(
                    f"{name} has files of its own, and split.{name} cuts {share:g} of train for it: remove "
                    f"one of the two (split.{name}: 0, or {name}: null)"
                )
        if "val" not in self.split_names:
            raise ValueError(
                "there is no val: name its files as those of train, or write `split: {val: 0.2}` to cut it "
                "from train"
            )
        return self

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> Self:
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            repeated = sorted({name for name in self.classes if self.classes.count(name) > 1})
            raise ValueError(f"classes: named more than once: {', '.join(repeated)}")
        return self


_TRAIN = "The training split; with `split`, the images that are divided."
_VAL = "The validation split; null: `split` cuts it from train."
_TEST = (
    "A third split, on which the searched detector is evaluated; without it, val is. "
    "Nothing is trained or chosen on it."
)


class CocoDetection(OwnDetection):
    """A detection dataset of the user's own, in COCO format."""

    source: ClassVar[str] = "coco"
    train: CocoSplit = Field(description=_TRAIN)
    val: CocoSplit | None = Field(default=None, description=_VAL)
    test: ThirdSplit | None = Field(
        default=None,
        description=_TEST,
        # a split that is only predicted on is no part of the dataset: with it nothing else is stale
        exclude_if=lambda split: split is not None and split.predict_only,
    )

    @property
    def splits(self) -> Mapping[SplitName, CocoSplit]:
        """The splits that have files of their own, but for one that is only predicted on."""
        given = super().splits
        if self.test is None or not self.test.predict_only:
            return given
        return {name: split for name, split in given.items() if name != "test"}


class YoloDetection(OwnDetection):
    """A detection dataset of the user's own, in YOLO's format: a text file for each image."""

    source: ClassVar[str] = "yolo"
    names: str = Field(
        min_length=1,
        description="File of the class names: a `data.yaml` with `names`, or a text with one name a line "
        "(`classes.txt`, `obj.names`).",
    )
    train: YoloSplit = Field(description=_TRAIN)
    val: YoloSplit | None = Field(default=None, description=_VAL)
    test: YoloSplit | None = Field(default=None, description=_TEST)

    @property
    def annotation_files(self) -> Mapping[str, str]:
        """The class names, and of every split the labels and, for their names, the images."""
        images = {
            f"{name}.images": split.images
            for name, split in self.splits.items()
            if split.images != split.annotations
        }
        return {"names": self.names, **super().annotation_files, **images}


class VocDetection(OwnDetection):
    """A detection dataset of the user's own, in Pascal VOC's format: an XML file for each image."""

    source: ClassVar[str] = "voc"
    train: VocSplit = Field(description=_TRAIN)
    val: VocSplit | None = Field(default=None, description=_VAL)
    test: VocSplit | None = Field(default=None, description=_TEST)
    first_pixel: Literal[0, 1] = Field(
        default=1,
        description="1: pixels are counted from 1, and xmax and ymax belong to the box (Pascal VOC itself). "
        "0: xmin, ymin, xmax, ymax are coordinates from 0 (CVAT, Roboflow and others).",
    )

    @property
    def annotation_files(self) -> Mapping[str, str]:
        """Of every split the XML files, and the list of their names where one is given."""
        sets = {
            f"{name}.image_set": split.image_set
            for name, split in self.splits.items()
            if split.image_set
        }
        return {**super().annotation_files, **sets}
