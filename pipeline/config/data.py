"""The `data` section: which images the detectors and the classification pretraining see."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from pipeline.config.base import Section
from pipeline.config.image_limits import MOST_PIXELS, MostPixels, VerifyImages
from pipeline.config.own_detection import CocoDetection, VocDetection, YoloDetection

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
    background: Literal["auto"] | bool = Field(
        default="auto",
        description="Crops without an object as one more class, as many as of a class on average and of the "
        "sizes of theirs; auto: where only one class has crops.",
        exclude_if=lambda value: value == "auto",
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


DetectionSource = EmbeddedDetection | CocoDetection | YoloDetection | VocDetection

DetectionSourceName = Literal["embedded", "coco", "yolo", "voc"]
"""Where a detection dataset comes from; its `dataset.json` says it, too."""


class DetectionData(_Sourced):
    """The detection dataset, and where it comes from."""

    source: DetectionSourceName = Field(
        default="embedded",
        description="`embedded`: digits on photographs, generated without a network; "
        "`coco`, `yolo`, `voc`: a dataset on disk in the format of COCO, YOLO or Pascal VOC.",
    )
    embedded: EmbeddedDetection = Field(
        default=EmbeddedDetection(), description="Used with `source: embedded`."
    )
    coco: CocoDetection | None = Field(default=None, description="Used with `source: coco`.")
    yolo: YoloDetection | None = Field(default=None, description="Used with `source: yolo`.")
    voc: VocDetection | None = Field(default=None, description="Used with `source: voc`.")

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
