"""The transform by which detectors' images are loaded: `pipeline.data.images`, as everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from pipeline.data.images import ImageError, load_image
from pipeline.data.kept_images import KeptImages

LOAD = "LoadCheckedImage"
"""The name of the transform in a dataset's config."""


def _load_bgr(path: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(load_image(path), cv2.COLOR_RGB2BGR), np.uint8)


_KEPT = KeptImages(_load_bgr)
"""Of this process: a dataset is built anew for each evaluation, at several resolutions at a time."""


@TRANSFORMS.register_module(name=LOAD)
class LoadCheckedImage(BaseTransform):
    """Load `img_path` into `img`, (H, W, 3) uint8 in BGR, as mmcv's LoadImageFromFile does."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add `img`, `img_shape` and `ori_shape`.

        Raises:
            ImageError: the image cannot be used; with its name.
        """
        # a loading process works while the step computes: there, many times the memory gains nothing
        read = _KEPT.read if get_worker_info() is None else _load_bgr
        try:
            image = read(Path(results["img_path"]))
        except ImageError as error:
            raise ImageError(f"{results['img_path']} {error}") from error
        results["img"] = image
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results
