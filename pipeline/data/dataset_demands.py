"""What a run's trainings ask of a detection dataset while it is checked: the crops of its boxes, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.data.coco import CocoSummary
from pipeline.data.crops import count_crops, too_few_classes
from pipeline.data.defects import Defect
from pipeline.data.demands import Counts, Demands, defects_of


def detection_defects(
    demands: Demands, summaries: Mapping[str, CocoSummary], file: Path
) -> tuple[list[Defect], Counts]:
    """What of the demands the detection data do not meet; and what there is.

    Args:
        demands: Of the run.
        summaries: Of the splits that could be read, `train` among them.
        file: To name: the annotations of `train`.
    """
    there = Counts.of_statistics(summaries["train"].statistics())
    if not there.with_boxes:
        # what is wrong with the boxes is told: how many images they leave is no second defect
        return defects_of(demands, replace(there, with_boxes=None), file), there
    defects: list[Defect] = []
    if demands.crops and "val" in summaries:
        common, number = count_crops(
            demands.crops, {split: summaries[split].content() for split in ("train", "val")}
        )
        there = replace(there, classification=number)
        if wrong := too_few_classes(common, file):
            defects.append(wrong)
    return [*defects, *defects_of(demands, there, file)], there
