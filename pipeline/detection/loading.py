"""The transform by which detectors' images are loaded: `pipeline.data.images`, as everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from pipeline.data.images import ImageError, load_image

LOAD = "LoadCheckedImage"
"""The name of the transform in a dataset's config."""


@TRANSFORMS.register_module(name=LOAD)
class LoadCheckedImage(BaseTransform):
    """Load `img_path` into `img`, (H, W, 3) uint8 in BGR, as mmcv's LoadImageFromFile does."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add `img`, `img_shape` and `ori_shape`.

        Raises:
            ImageError: the image cannot be used; with its name.
        """
        try:
            image = load_image(Path(results["img_path"]))
        except ImageError as error:
            raise ImageError(f"{results['img_path']} {error}") from error
        results["img"] = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results
