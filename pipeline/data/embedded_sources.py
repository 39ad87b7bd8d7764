"""What the embedded dataset is made of: scikit-learn's digits and photographs from installed wheels.

The division of the photographs into train, val and test, and of the digits into those that may be
trained on and those held out, is fixed, whatever the seed: every dataset made from these sources
agrees about it. Which of the digits held out are val's, and which test's: see `pipeline.data.embedded`.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from pipeline.data.defects import DatasetError, Defect

Split = Literal["train", "val", "test"]
CLASSES = tuple("0123456789")

# Only files inside the wheels: `skimage.data` would download the others. Left out are images with
# writing in them (page, text), which hold digits nobody annotated, and the motorcycle's right view.
_SKIMAGE, _SKLEARN = "skimage.data", "sklearn.datasets.images"
_WHEELS = {
    _SKIMAGE: "scikit-image",
    _SKLEARN: "scikit-learn",
    "matplotlib": "matplotlib",
    "imgaug": "imaug",
    "imagecorruptions": "imagecorruptions-imaug",
}
PHOTOGRAPHS: dict[Split, dict[str, tuple[str, str]]] = {
    "train": {
        "astronaut": (_SKIMAGE, "astronaut.png"),
        "brick": (_SKIMAGE, "brick.png"),
        "camera": (_SKIMAGE, "camera.png"),
        "china": (_SKLEARN, "china.jpg"),
        "coffee": (_SKIMAGE, "coffee.png"),
        "gravel": (_SKIMAGE, "gravel.png"),
        "ihc": (_SKIMAGE, "ihc.png"),
        "moon": (_SKIMAGE, "moon.png"),
        "motorcycle": (_SKIMAGE, "motorcycle_left.png"),
        "retina": (_SKIMAGE, "retina.jpg"),
    },
    "val": {
        "chelsea": (_SKIMAGE, "chelsea.png"),
        "coins": (_SKIMAGE, "coins.png"),
        "flower": (_SKLEARN, "flower.jpg"),
        "grass": (_SKIMAGE, "grass.png"),
        "hubble": (_SKIMAGE, "hubble_deep_field.jpg"),
        "rocket": (_SKIMAGE, "rocket.jpg"),
    },
    # what the other two leave of scikit-image's, and those of packages that mmdet needs
    "test": {
        "cell": (_SKIMAGE, "cell.png"),
        "clock": (_SKIMAGE, "clock_motion.png"),
        "frost": ("imagecorruptions", "frost/frost4.jpg"),
        "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
        "ice": ("imagecorruptions", "frost/frost6.jpg"),
        "quokka": ("imgaug", "quokka.jpg"),
    },
}
TRAIN_SHARE = 0.75


@cache
def photograph(split: Split, name: str) -> Image.Image:
    """The photograph `name` of `split`, in RGB.

    Raises:
        DatasetError: The installed wheel does not ship the file.
    """
    package, file = PHOTOGRAPHS[split][name]
    # Found, not imported: some of these packages take seconds to import.
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    path = Path(next(iter(folders or [package]))) / file
    if not path.is_file():
        raise DatasetError(
            [
                Defect(
                    "missing image",
                    split,
                    path,
                    f"the photograph {name}",
                    f"the installed {_WHEELS[package]} does not ship it; install the pinned version",
                )
            ]
        )
    return Image.open(path).convert("RGB")


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    ink, labels = load_digits(return_X_y=True)
    return np.asarray(ink).reshape(-1, 8, 8) / 16, np.asarray(labels)


def digit(index: int) -> np.ndarray:
    """Ink of scikit-learn's digit number `index`: (8, 8), 0 for paper to 1 for full ink."""
    return _digits()[0][index]


@cache
def digit_indices(split: Split, label: int) -> tuple[int, ...]:
    """Indices of the digits of class `label` that `split` may show; val and test share theirs.

    The first three quarters of a class are for training. Neighbours in the collection tend to share
    a writer, so val and test also try unseen handwriting.
    """
    indices = np.flatnonzero(_digits()[1] == label).tolist()
    border = round(TRAIN_SHARE * len(indices))
    return tuple(indices[:border] if split == "train" else indices[border:])
