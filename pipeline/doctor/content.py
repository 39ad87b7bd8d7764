"""What is in a run's datasets, told on demand: annotations, heads of images; and the settings they allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.config.data import ImageFolderClassification
from pipeline.config.own_detection import OwnDetection
from pipeline.config.root import Config
from pipeline.console import counted
from pipeline.data.coco import CocoSummary, check_detection
from pipeline.data.dataset_demands import detection_defects
from pipeline.data.defects import DatasetError, Defect
from pipeline.data.demands import Counts, Demands, unmet
from pipeline.data.demands import remarks as data_remarks
from pipeline.data.image_folder import check_classification
from pipeline.doctor.datasets import missing_datasets
from pipeline.doctor.finding import Finding
from pipeline.doctor.settings import default_rules, demands, known_counts, remarks, unshared

HOW = "docs/howto/mend_data.md says how to mend it"
HEADS = "images by their heads; the run decodes every pixel"


def content(config: Config) -> Iterator[Finding]:
    """Findings on the content of the user's own datasets, and on all settings, for the default target."""
    rules = default_rules(config)
    wanted, there = demands(config, rules), known_counts(config)
    if missing_datasets(config.data) is None:
        own = config.data.detection.active
        if isinstance(own, OwnDetection):
            finding, there = _detection(own, wanted, there)
            yield finding
        folders = config.data.classification.active
        if isinstance(folders, ImageFolderClassification):
            finding, there = _classification(folders, there)
            yield finding
    wrong = [f"{key} {told}" for key, told in [*unshared(config, rules), *unmet(wanted, there)]]
    if wrong:
        yield Finding("settings", "fault", "; ".join(wrong), "change them before the run")
    for told in (*remarks(config, rules), *data_remarks(wanted, there)):
        yield Finding("settings", "note", told)


def _detection(own: OwnDetection, wanted: Demands, there: Counts) -> tuple[Finding, Counts]:
    name = "content of data.detection"
    found = [there]

    def further(summaries: Mapping[str, CocoSummary]) -> Sequence[Defect]:
        # what the settings ask is told with all settings
        asked = wanted.model_copy(update={"batches": ()})
        defects, counts = detection_defects(asked, summaries, Path(own.train.annotations))
        classification = counts.classification or there.classification
        found.append(replace(counts, classification=classification))
        return defects

    try:
        summaries = check_detection(own.model_copy(update={"verify_images": "header"}), further)
    except DatasetError as error:
        return Finding(name, "fault", str(error), HOW), found[-1]
    told = "; ".join(
        f"{split} {counted(summary.statistics()['images'], 'image')}, "
        f"{counted(summary.statistics()['objects'], 'object')}"
        for split, summary in summaries.items()
    )
    return Finding(name, "ok", f"{told} ({HEADS})"), found[-1]


def _classification(own: ImageFolderClassification, there: Counts) -> tuple[Finding, Counts]:
    name = "content of data.classification"
    try:
        classes, counts = check_classification(own.model_copy(update={"verify_images": "header"}))
    except DatasetError as error:
        return Finding(name, "fault", str(error), HOW), there
    numbers = counted(len(classes), "class", "classes"), counted(counts["train"], "image")
    found = f"{', '.join(numbers)} to train on ({HEADS})"
    return Finding(name, "ok", found), replace(there, classification=counts["train"])
