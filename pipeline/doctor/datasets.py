"""Checks that datasets and given weights are where a config says; stages check what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from pipeline.config.data import DataConfig
from pipeline.config.root import Config
from pipeline.doctor.finding import Finding

PATH_KEYS = (
    *("annotations", "images", "names", "image_set"),
    *("train", "val"),
    *("backbone", "screening_supernet", "search_supernet"),
)


def datasets(data: DataConfig) -> Iterator[Finding]:
    """A finding for the detection data, and one for the classification data."""
    for name, part in (
        ("data.detection", data.detection),
        ("data.classification", data.classification),
    ):
        paths = dict(_paths(part.active, f"{name}.{part.source}"))
        missing = [f"{key}: {path}" for key, path in paths.items() if not path.exists()]
        if missing:
            yield Finding(
                name,
                "fault",
                "not there: " + "; ".join(missing),
                f"relative paths start at {Path.cwd()}; docs/reference/config.md shows the expected trees",
            )
        elif paths:
            yield Finding(name, "ok", f"{len(paths)} paths, all there")
        else:
            how = "no pretraining" if part.source == "none" else "made by the run itself"
            yield Finding(name, "ok", f"{part.source}: {how}")
    if told := unused_missing(data):
        yield Finding("unused data", "note", told, "correct the paths, or set the section to null")


def given_weights(config: Config) -> Iterator[Finding]:
    """A finding for the weights that networks start from, and for the user's own base, if there are some."""
    files = {
        f"{place.replace('/', '.')}.pretrained.checkpoint": each.checkpoint
        for place, each in config.pretrained.items()
    }
    base = config.base_detector
    if base.source == "mmdet" and base.mmdet:
        files |= {
            "base_detector.mmdet.config": base.mmdet.config,
            "base_detector.mmdet.checkpoint": base.mmdet.checkpoint,
        }
    if not files:
        return
    if missing := [f"{key}: {path}" for key, path in files.items() if not Path(path).is_file()]:
        advice = f"relative paths start at {Path.cwd()}"
        yield Finding("given weights", "fault", "not there: " + "; ".join(missing), advice)
    else:
        yield Finding("given weights", "ok", f"{len(files)} files, all there")


def unused_missing(data: DataConfig) -> str | None:
    """Paths that are not there, of sections that the config names and does not use; None if all are."""
    missing = [
        f"{key}: {path}"
        for name, part in (
            ("data.detection", data.detection),
            ("data.classification", data.classification),
        )
        for source, section in part.unused.items()
        for key, path in _paths(section, f"{name}.{source}")
        if not path.exists()
    ]
    return f"not there, in sections that are not used: {'; '.join(missing)}" if missing else None


def missing_datasets(data: DataConfig) -> str | None:
    """What of the config's datasets is not there, with the whole tree that is expected; None if all is."""
    paths = [
        *_paths(data.detection.active, f"data.detection.{data.detection.source}"),
        *_paths(data.classification.active, f"data.classification.{data.classification.source}"),
    ]
    if all(path.exists() for _, path in paths):
        return None
    width = max(len(str(path)) for _, path in paths)
    tree = [
        f"  {'there  ' if path.exists() else 'MISSING'}  {path!s:<{width}}  {_KINDS[key.split('.')[-1]]}"
        f" ({key})"
        for key, path in paths
    ]
    return (
        f"datasets are missing; no job was started. Expected, relative to {Path.cwd()}:\n"
        + "\n".join(tree)
        + "\nPut or link them there, or change the paths in the config (docs/reference/config.md)."
    )


_KINDS = {
    "annotations": "annotations: COCO's file, or the folder of YOLO's or Pascal VOC's",
    "names": "names of the classes",
    "image_set": "names of a split's files",
    "images": "folder of images",
    "train": "a folder <class>/<image> for each class",
    "val": "the same",
    "test": "the same",
}


def _paths(section: BaseModel, prefix: str) -> Iterator[tuple[str, Path]]:
    for key in type(section).model_fields:
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            yield from _paths(value, f"{prefix}.{key}")
        elif isinstance(value, str) and key in PATH_KEYS:
            yield f"{prefix}.{key}", Path(value)
