"""The formats of annotations beside COCO's: each is read into the lists of a COCO file."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.config.own_detection import OwnDetection, SplitName, VocDetection, YoloDetection
from pipeline.data.translated import Translated
from pipeline.data.voc import translate_voc
from pipeline.data.yolo import translate_yolo


def translate(config: OwnDetection) -> Mapping[SplitName, Translated]:
    """All splits that have files of their own; none of them where these are COCO files already."""
    if isinstance(config, YoloDetection):
        return translate_yolo(config)
    if isinstance(config, VocDetection):
        return translate_voc(config)
    return {}
