"""Checks that the datasets of a config are where it says; the prepare stages check what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from pipeline.config.data import DataConfig
from pipeline.doctor.finding import Finding

PATH_KEYS = (
    *("annotations", "images"),
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
                f"relative paths start at {Path.cwd()}; config/README.md shows the expected trees",
            )
        elif paths:
            yield Finding(name, "ok", f"{len(paths)} paths, all there")
        else:
            how = "no pretraining" if part.source == "none" else "made by the run itself"
            yield Finding(name, "ok", f"{part.source}: {how}")


def _paths(section: BaseModel, prefix: str) -> Iterator[tuple[str, Path]]:
    for key in type(section).model_fields:
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            yield from _paths(value, f"{prefix}.{key}")
        elif isinstance(value, str) and key in PATH_KEYS:
            yield f"{prefix}.{key}", Path(value)
