"""COCO's numbers of an exported detector."""

from __future__ import annotations

from typing import Any

from pipeline.artifacts.files import read_json
from pipeline.data.index import SplitPaths
from pipeline.deploy.sample_images import loaded
from pipeline.deploy.session import OnnxDetector
from pipeline.detection.evaluation import Detection, coco_metrics
from pipeline.errors import DetSearchError


def exported_metrics(exported: OnnxDetector, split: SplitPaths) -> dict[str, Any]:
    """COCO's twelve numbers of an exported detector on a split, and AP per class.

    Args:
        exported: the detector.
        split: COCO instances and images; its categories have the detector's class names.

    Raises:
        DetSearchError: a class of the detector is no category, or an image cannot be read.
    """
    truth = read_json(split.annotations)
    ids = {category["name"]: category["id"] for category in truth["categories"]}
    if missing := [name for name in exported.about.classes if name not in ids]:
        raise DetSearchError(
            f"{split.annotations} has no category {', '.join(missing)}, which the detector has"
        )
    categories = [ids[name] for name in exported.about.classes]
    paths = [split.images / image["file_name"] for image in truth["images"]]
    detections: list[Detection] = []
    for image, pixels in zip(truth["images"], loaded(paths), strict=True):
        detections += exported(pixels).coco_results(image["id"], categories)
    return coco_metrics(split.annotations, detections)
