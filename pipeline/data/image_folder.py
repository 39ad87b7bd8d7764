"""Check a classification dataset in ImageFolder layout: `<split>/<class>/**/<image>`."""

from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS, make_dataset

from pipeline.config.data import ImageFolderClassification
from pipeline.config.image_limits import MOST_PIXELS
from pipeline.data.defects import DatasetError, Defect
from pipeline.data.images import VerifyImages, read_sizes


def class_images(folder: Path) -> dict[str, list[Path]]:
    """The image files of every class, sorted, exactly as torchvision's ImageFolder sees them.

    Every folder is a class; files with other endings than an image's are passed over.
    """
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    numbers = {name: number for number, name in enumerate(names)}
    classes: dict[str, list[Path]] = {name: [] for name in names}
    # torchvision takes no empty mapping.
    files = make_dataset(folder, numbers, IMG_EXTENSIONS, allow_empty=True) if names else []
    for path, number in files:
        classes[names[number]].append(Path(path))
    return classes


def inspect_image_folder(
    folder: Path,
    split: str,
    verify_images: VerifyImages = "decode",
    most_pixels: int = MOST_PIXELS,
) -> tuple[dict[str, list[Path]] | None, list[Defect]]:
    """As `check_image_folder`, with the classes' files (None where there is no such folder)."""
    if not folder.is_dir():
        return None, [Defect("image folder", split, folder, "", "there is no such folder")]
    classes = class_images(folder)
    if not classes:
        detail = "it has no class folders; images lie in <split>/<class>/<image>"
        return classes, [Defect("no classes", split, folder, "", detail)]
    unwritable = [name for name in classes if not name.isascii() and _without_utf8(name)]
    if unwritable:
        detail = "the folder's name is no UTF-8 text, and cannot be a class"
        # the folder's own path could not be shown either
        return classes, [Defect("class name", split, folder, ascii(n), detail) for n in unwritable]
    endings = ", ".join(IMG_EXTENSIONS)
    defects = [
        Defect("empty class", split, folder / name, "", f"holds no image ({endings})")
        for name, paths in classes.items()
        if not paths
    ]
    paths = [path for members in classes.values() for path in members]
    for path, size in zip(paths, read_sizes(paths, verify_images, most_pixels), strict=True):
        if not isinstance(size, tuple):
            reason = size or "the file vanished while it was checked"
            defects.append(Defect("unreadable image", split, path, "", reason))
    return classes, defects


def _without_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False


def check_image_folder(
    folder: Path, split: str, verify_images: VerifyImages = "decode"
) -> list[Defect]:
    """Find every defect of one split: a missing folder, empty classes, unreadable images."""
    return inspect_image_folder(folder, split, verify_images)[1]


def check_classification(
    config: ImageFolderClassification,
) -> tuple[list[str], dict[str, int]]:
    """Check both splits of an ImageFolder dataset, and each against the other.

    Returns:
        The class names, sorted, and the number of images of each split.

    Raises:
        DatasetError: Lists every defect found.
    """
    defects: list[Defect] = []
    found: dict[str, dict[str, list[Path]]] = {}
    for split, folder in (("train", Path(config.train)), ("val", Path(config.val))):
        classes, wrong = inspect_image_folder(
            folder, split, config.verify_images, config.most_pixels
        )
        defects += wrong
        if classes:
            found[split] = classes
    if len(found) == 2:
        for mine, other in (("train", "val"), ("val", "train")):
            for name in sorted(found[mine].keys() - found[other].keys()):
                folder = Path(getattr(config, other))
                detail = f"there is no folder {name}, a class of {mine}"
                defects.append(Defect("classes differ", "train/val", folder, "", detail))
    if defects:
        raise DatasetError(defects)
    counts = {split: sum(map(len, classes.values())) for split, classes in found.items()}
    return sorted(found["train"]), counts
