"""What the embedded dataset is made of: scikit-learn's digits and photographs from two wheels.

The division into train and val is fixed, whatever the seed, so that every dataset made from these
sources agrees about which digits and photographs may be trained on.
"""

from functools import cache
from importlib.resources import as_file, files
from typing import Literal

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from pipeline.data.defects import DatasetError, Defect

Split = Literal["train", "val"]
CLASSES = tuple("0123456789")

# Only files inside the wheels: `skimage.data` would download the others. Left out are images with
# writing in them (page, text), which hold digits nobody annotated, and the motorcycle's right view.
_SKIMAGE, _SKLEARN = "skimage.data", "sklearn.datasets.images"
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
}
TRAIN_SHARE = 0.75


@cache
def photograph(split: Split, name: str) -> Image.Image:
    """The photograph `name` of `split`, in RGB.

    Raises:
        DatasetError: The installed scikit-image or scikit-learn does not ship the file.
    """
    package, file = PHOTOGRAPHS[split][name]
    with as_file(files(package) / file) as path:
        if not path.is_file():
            version = "scikit-image" if package == _SKIMAGE else "scikit-learn"
            raise DatasetError(
                [
                    Defect(
                        "missing image",
                        split,
                        path,
                        f"the photograph {name}",
                        f"the installed {version} does not ship it; install the pinned version",
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
    """Indices of the digits of class `label` in `split`.

    The first three quarters of a class are for training. Neighbours in the collection tend to share
    a writer, so val also tests unseen handwriting.
    """
    indices = np.flatnonzero(_digits()[1] == label).tolist()
    border = round(TRAIN_SHARE * len(indices))
    return tuple(indices[:border] if split == "train" else indices[border:])
