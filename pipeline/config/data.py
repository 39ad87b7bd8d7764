"""The `data` section: which images the detectors and the classification pretraining see."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from pipeline.config.base import Section

VerifyImages = Annotated[
    Literal["decode", "header"],
    Field(
        description="How the check of a dataset reads the images: `decode` decodes every pixel and finds "
        "truncated files; `header` opens each file and compares its size only, which is faster."
    ),
]
LARGEST_IMAGE = 2**30
"""Pixels: OpenCV decodes no larger image."""
MOST_PIXELS = 178_956_970
"""Pillow's border, beyond which a small file may fill the memory."""
MostPixels = Annotated[
    int,
    Field(
        ge=1,
        le=LARGEST_IMAGE,
        description="An image of more pixels is a defect: so small a file may fill the memory. Raise it "
        "for aerial photographs and the like; a pixel takes 3 bytes and more.",
    ),
]
Seed = Annotated[int, Field(ge=0, lt=2**31, description="Seed of the generated images.")]


class EmbeddedDetection(Section):
    """The embedded dataset: handwritten digits pasted on photographs, made offline."""

    source: ClassVar[str] = "embedded"
    image_size: int = Field(
        default=128, ge=32, le=1024, description="Width and height of an image, in pixels."
    )
    train_images: int = Field(
        default=400,
        ge=10,
        description="Number of training images; with ten, every class occurs.",
    )
    val_images: int = Field(
        default=100,
        ge=1,
        description="Number of validation images. Searches look at them, so results belong on test.",
    )
    test_images: int = Field(
        default=0,
        ge=0,
        description="Number of test images, on which detectors are evaluated, of photographs and digits "
        "that neither train nor val shows; with 0 there is no test split, and val takes its place. "
        "Their digits are those that val leaves: other numbers of val's images give other test images.",
    )
    objects_per_image: tuple[
        Annotated[int, Field(ge=1, le=20)], Annotated[int, Field(ge=1, le=20)]
    ] = Field(default=(1, 4), description="Least and greatest number of digits in an image.")
    object_size: tuple[Annotated[int, Field(ge=8)], Annotated[int, Field(ge=8)]] = Field(
        default=(18, 112),
        description="Least and greatest size of a digit, in pixels: the square root of its box's "
        "area. Sizes are drawn log-uniformly; a digit that finds no room is made smaller.",
    )
    rotation_degrees: float = Field(
        default=20.0,
        ge=0,
        le=180,
        description="A digit is turned by up to this angle either way. Beyond about 90 degrees "
        "a 6 and a 9 cannot be told apart.",
    )
    clutter: tuple[Annotated[int, Field(ge=0, le=20)], Annotated[int, Field(ge=0, le=20)]] = Field(
        default=(1, 4),
        description="Least and greatest number of distracting shapes in an image. "
        "A shape that finds no room beside the digits is left out.",
    )
    seed: Seed = 0

    @property
    def annotation_files(self) -> Mapping[str, str]:
        """None: the run makes them itself."""
        return {}

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> Self:
        for name in ("objects_per_image", "object_size", "clutter"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: the least value {low} exceeds the greatest, {high}")
        if self.object_size[1] > self.image_size:
            raise ValueError(
                f"object_size: the greatest size {self.object_size[1]} exceeds "
                f"image_size {self.image_size}"
            )
        # Boxes placed at random begin to block each other from about half of the area.
        crowded = self.objects_per_image[1] * self.object_size[0] ** 2
        if crowded > 0.3 * self.image_size**2:
            raise ValueError(
                f"objects_per_image: {self.objects_per_image[1]} digits of {self.object_size[0]} "
                f"pixels and more would crowd an image of {self.image_size} pixels; at most "
                f"{int(0.3 * self.image_size**2 / self.object_size[0] ** 2)} fit well"
            )
        return self


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


class CocoDetection(Section):
    """A detection dataset of the user's own, in COCO format."""

    source: ClassVar[str] = "coco"
    train: CocoSplit = Field(description="The training split.")
    val: CocoSplit = Field(description="The validation split.")
    test: ThirdSplit | None = Field(
        default=None,
        description="A third split, on which the searched detector is evaluated; without it, val is. "
        "Nothing is trained or chosen on it.",
        # a split that is only predicted on is no part of the dataset: with it nothing else is stale
        exclude_if=lambda split: split is not None and split.predict_only,
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
    def splits(self) -> dict[str, CocoSplit]:
        """The splits that there are, by name: `train`, `val`, and `test` where it is given."""
        given: dict[str, CocoSplit] = {"train": self.train, "val": self.val}
        if self.test is None or self.test.predict_only:
            return given
        return {**given, "test": self.test}

    @property
    def annotation_files(self) -> Mapping[str, str]:
        """The user's own files, by split: another content under the same name is another version."""
        return {name: split.annotations for name, split in self.splits.items()}

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> Self:
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            repeated = sorted({name for name in self.classes if self.classes.count(name) > 1})
            raise ValueError(f"classes: named more than once: {', '.join(repeated)}")
        return self


class EmbeddedClassification(Section):
    """Crops of the embedded dataset's digits, for pretraining backbones.

    Their digits and photographs are split as those of the detection dataset, so nothing in the
    detection dataset's validation images is trained on.
    """

    source: ClassVar[str] = "embedded"
    image_size: int = Field(
        default=64, ge=16, le=512, description="Width and height of an image, in pixels."
    )
    train_images_per_class: int = Field(
        default=100, ge=1, description="Training images of each digit."
    )
    val_images_per_class: int = Field(
        default=20, ge=1, description="Validation images of each digit."
    )
    seed: Seed = 0


class ImageFolderClassification(Section):
    """A classification dataset of the user's own: one folder of images for each class."""

    source: ClassVar[str] = "image_folder"
    train: str = Field(
        min_length=1,
        description="Folder of the training classes. "
        "Relative paths start at the working directory.",
    )
    val: str = Field(min_length=1, description="Folder of the validation classes.")
    verify_images: VerifyImages = "decode"
    most_pixels: MostPixels = MOST_PIXELS


class CropsClassification(Section):
    """Crops of the boxes of the run's own detection dataset, its `train` and `val` splits."""

    source: ClassVar[str] = "crops"
    image_size: int = Field(
        default=64, ge=16, le=1024, description="Shorter side of a stored crop, in pixels."
    )
    context: float = Field(
        default=0.15,
        ge=0,
        le=2,
        description="What is shown around a box on each side, as a share of its longer side. Crops are "
        "square, except where the image ends.",
    )
    smallest: int = Field(
        default=8, ge=1, description="Boxes with a longer side below this, in pixels, are left out."
    )
    train_images_per_class: int | None = Field(
        default=None, ge=1, description="At most as many training crops of a class; null: all."
    )
    val_images_per_class: int | None = Field(
        default=None, ge=1, description="At most as many validation crops of a class; null: all."
    )
    seed: Annotated[int, Field(ge=0, lt=2**31, description="Seed of the choice of crops.")] = 0


class CheckpointClassification(Section):
    """Weights that were pretrained elsewhere, in place of a classification dataset.

    Safetensors, or a PyTorch file (.pth, .pt, .ckpt, .bin) that holds tensors and plain values only.
    A network without a file starts from its initialisation.
    """

    source: ClassVar[str] = "checkpoint"
    backbone: str | None = Field(
        default=None, min_length=1, description="File of the derived backbone's weights."
    )
    screening_supernet: str | None = Field(
        default=None, min_length=1, description="File of the screening backbone supernet's weights."
    )
    search_supernet: str | None = Field(
        default=None, min_length=1, description="File of the search backbone supernet's weights."
    )

    @model_validator(mode="after")
    def _one_is_given(self) -> Self:
        if not any(self.model_dump().values()):
            names = ", ".join(type(self).model_fields)
            raise ValueError(f"no file is given: at least one of {names} is needed")
        return self


class NoClassification(Section):
    """No pretraining: every network starts from its initialisation."""

    source: ClassVar[str] = "none"


class _Sourced(Section):
    """A dataset from one of several sources, each with a section of its own under its name.

    The sections lie side by side, so that a user's file can name another source on top of the
    default config; only the chosen one is passed to stages, and can make them stale.
    """

    source: Any

    @model_validator(mode="after")
    def _source_is_described(self) -> Self:
        if getattr(self, self.source) is None:
            raise ValueError(f"source is {self.source}, but there is no section `{self.source}`")
        return self

    @model_validator(mode="after")
    def _own_files_are_not_passed_over(self) -> Self:
        for name, field in type(self).model_fields.items():
            if self.source == "embedded" and field.default is None and getattr(self, name):
                raise ValueError(
                    f"there is a section `{name}`, but source is embedded: write `source: {name}` to use "
                    f"it, or `{name}: null` to leave it out"
                )
        return self

    @property
    def unused(self) -> dict[str, Section]:
        """The sections that name a user's own files, by source, and are not used."""
        return {
            name: getattr(self, name)
            for name, field in type(self).model_fields.items()
            if name not in ("source", self.source) and field.default is None and getattr(self, name)
        }

    @model_serializer(mode="wrap")
    def _chosen_only(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content = handler(self)
        return {"source": self.source, self.source: content[self.source]}


DetectionSource = EmbeddedDetection | CocoDetection

DetectionSourceName = Literal["embedded", "coco"]
"""Where a detection dataset comes from; its `dataset.json` says it, too."""


class DetectionData(_Sourced):
    """The detection dataset, and where it comes from."""

    source: DetectionSourceName = Field(
        default="embedded",
        description="`embedded`: digits on photographs, generated without a network; "
        "`coco`: a COCO-format dataset on disk.",
    )
    embedded: EmbeddedDetection = Field(
        default=EmbeddedDetection(), description="Used with `source: embedded`."
    )
    coco: CocoDetection | None = Field(default=None, description="Used with `source: coco`.")

    @property
    def active(self) -> DetectionSource:
        """The section of the chosen source."""
        return getattr(self, self.source)


ClassificationSource = (
    EmbeddedClassification
    | ImageFolderClassification
    | CropsClassification
    | CheckpointClassification
    | NoClassification
)


class ClassificationData(_Sourced):
    """The classification dataset, and where it comes from."""

    source: Literal["embedded", "image_folder", "crops", "checkpoint", "none"] = Field(
        default="embedded",
        description="`embedded`: digit crops, generated without a network; "
        "`image_folder`: folders `<split>/<class>/<image>` on disk; "
        "`crops`: crops of the detection dataset's own boxes; "
        "`checkpoint`: no dataset, but weights from files; "
        "`none`: no pretraining, every network starts from its initialisation.",
    )
    embedded: EmbeddedClassification = Field(
        default=EmbeddedClassification(), description="Used with `source: embedded`."
    )
    image_folder: ImageFolderClassification | None = Field(
        default=None, description="Used with `source: image_folder`."
    )
    crops: CropsClassification = Field(
        default=CropsClassification(), description="Used with `source: crops`."
    )
    checkpoint: CheckpointClassification | None = Field(
        default=None, description="Used with `source: checkpoint`."
    )
    none: NoClassification = Field(
        default=NoClassification(), description="Used with `source: none`; holds nothing."
    )

    @property
    def active(self) -> ClassificationSource:
        """The section of the chosen source."""
        return getattr(self, self.source)


class DataConfig(Section):
    """The datasets of a run."""

    detection: DetectionData = Field(
        default=DetectionData(), description="What detectors are trained and judged on."
    )
    classification: ClassificationData = Field(
        default=ClassificationData(),
        description="What backbones are pretrained on (the papers: ImageNet).",
    )
