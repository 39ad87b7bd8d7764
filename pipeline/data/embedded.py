"""The embedded datasets: a COCO-format detection set and an ImageFolder classification set.

Both are made offline from scikit-learn's handwritten digits and photographs inside the wheels.
The same settings give the same bytes.

Train, val and test share no photograph and no digit. Val draws from all digits held out from
training, and some it never draws: those make up test, so that a test split changes no image of val.
With more images in val there are fewer of them, and other test images.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.config.data import EmbeddedClassification, EmbeddedDetection
from pipeline.data.defects import DatasetError, Defect
from pipeline.data.embedded_sources import CLASSES, Split, digit_indices
from pipeline.data.scene import draw_scene, place_digits

SPLITS: tuple[Split, ...] = ("train", "val")
"""Those that every dataset has."""


def detection_splits(settings: EmbeddedDetection) -> tuple[Split, ...]:
    """The splits of a detection dataset: `test` where images are wanted."""
    return (*SPLITS, "test") if settings.test_images else SPLITS


def _save(image: Image.Image, path: Path) -> None:
    image.save(path, format="PNG", compress_level=3)


def _deck(rng: np.random.Generator, digits: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    """Endless (label, digit index): every ten draws hold each label once, in random order.

    Args:
        rng: Source of the draws.
        digits: By label, the indices to draw from.
    """
    while True:
        for label in rng.permutation(len(CLASSES)).tolist():
            yield label, int(rng.choice(digits[label]))


def _digits(split: Split, shown: Collection[int], folder: Path) -> list[tuple[int, ...]]:
    """By label, the digits of a split; of test, those that val's images do not show."""
    digits = [digit_indices(split, label) for label in range(len(CLASSES))]
    if split != "test":
        return digits
    left = [tuple(index for index in pool if index not in shown) for pool in digits]
    if empty := [CLASSES[label] for label, pool in enumerate(left) if not pool]:
        raise DatasetError(
            [
                Defect(
                    "no digits left",
                    split,
                    folder,
                    f"class {name}",
                    "val's images show every digit that is held out from training; lower"
                    " data.detection.embedded.val_images, or set test_images to 0",
                )
                for name in empty
            ]
        )
    return left


def write_detection(
    settings: EmbeddedDetection, folder: Path, background_only: bool = False
) -> None:
    """Write `annotations/<split>.json` (COCO instances) and `images/<split>/*.png` into `folder`.

    An image entry also names its `photo`, an annotation its `digit` (scikit-learn's index).

    Args:
        settings: Sizes, numbers and the seed.
        folder: An existing folder.
        background_only: Leave the digits out of the images, but change nothing else: the
            annotations are the same. Nothing can be learnt from such a dataset.

    Raises:
        NoRoomError: The digits wanted in an image do not fit into it.
        DatasetError: The images of val leave no digit of some class for test.
    """
    (folder / "annotations").mkdir()
    least, greatest = settings.object_size
    wanted = {
        "train": settings.train_images,
        "val": settings.val_images,
        "test": settings.test_images,
    }
    shown: set[int] = set()
    for number, split in enumerate(detection_splits(settings)):
        (folder / "images" / split).mkdir(parents=True)
        digits = _digits(split, shown, folder)
        deck = _deck(np.random.default_rng([settings.seed, number]), digits)
        images, annotations = [], []
        for image_id in range(1, wanted[split] + 1):
            # Each image has its own generator: more images leave the earlier ones as they were.
            rng = np.random.default_rng([settings.seed, number, image_id])
            count = int(rng.integers(*settings.objects_per_image, endpoint=True))
            labels, indices = zip(*(next(deck) for _ in range(count)), strict=True)
            shown.update(indices)
            placed = place_digits(
                rng, indices, settings.image_size, settings.object_size, settings.rotation_degrees
            )
            image, background, photo = draw_scene(
                rng,
                split,
                placed,
                settings.image_size,
                clutter=int(rng.integers(*settings.clutter, endpoint=True)),
                clutter_sizes=(least, max(least, greatest / 2)),
            )
            name = f"{image_id:06d}.png"
            _save(background if background_only else image, folder / "images" / split / name)
            images.append(
                {
                    "id": image_id,
                    "file_name": name,
                    "width": settings.image_size,
                    "height": settings.image_size,
                    "photo": photo,
                }
            )
            for label, index, item in zip(labels, indices, placed, strict=True):
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": image_id,
                        "category_id": label + 1,
                        "bbox": list(item.box),
                        "area": item.box[2] * item.box[3],
                        "iscrowd": 0,
                        "digit": index,
                    }
                )
        content = {
            "info": {"description": "DetSearch embedded dataset: digits on photographs"},
            "images": images,
            "annotations": annotations,
            # Ids begin at 1, as COCO's do: a category id is not the label of a network.
            "categories": [{"id": i + 1, "name": name} for i, name in enumerate(CLASSES)],
        }
        (folder / "annotations" / f"{split}.json").write_text(json.dumps(content))


def write_classification(settings: EmbeddedClassification, folder: Path) -> None:
    """Write `<split>/<class>/*.png` into `folder`: one digit fills most of each image.

    Args:
        settings: Sizes, numbers and the seed.
        folder: An existing folder.
    """
    size = settings.image_size
    for number, split in enumerate(SPLITS):
        per_class = (
            settings.train_images_per_class if split == "train" else settings.val_images_per_class
        )
        for label, name in enumerate(CLASSES):
            target = folder / split / name
            target.mkdir(parents=True)
            for position in range(per_class):
                rng = np.random.default_rng([settings.seed, number, label, position])
                index = int(rng.choice(digit_indices(split, label)))
                placed = place_digits(rng, [index], size, (size // 2, round(size * 0.9)), 20.0)
                image, _, photo = draw_scene(
                    rng,
                    split,
                    placed,
                    size,
                    clutter=int(rng.integers(0, 3)),
                    clutter_sizes=(size / 6, size / 3),
                )
                _save(image, target / f"{position:05d}_digit{index:04d}_{photo}.png")
