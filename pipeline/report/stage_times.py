"""How long a run's stages took, one by one, by part, and together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from pipeline.artifacts.manifest import Manifest

PARTS = {
    "data": ("data",),
    "Hit-Detector: screening": ("hit_detector/screening",),
    "Hit-Detector: supernet and search": ("hit_detector/supernet", "hit_detector/search"),
    "Hit-Detector: finalists": ("hit_detector/finalists",),
    "Hit-Detector: searched detector": ("hit_detector",),
    "Joint-DetNAS: base detector": ("joint_detnas/base", "joint_detnas/base_longer"),
    "Joint-DetNAS: teacher pool": ("joint_detnas/teacher_pool",),
    "Joint-DetNAS: search": ("joint_detnas/hill_climb",),
    "Joint-DetNAS: random search": ("joint_detnas/random",),
    "Joint-DetNAS: student": ("joint_detnas/student",),
    "Joint-DetNAS: upgraded student": ("joint_detnas/upgrade",),
    "baselines, trained alone": ("baselines",),
    "random and plain networks": ("ablations",),
    "front": ("front",),
    "times of the detectors": ("latency",),
    "tables and figures": ("figures", "tables"),
}
"""The parts of a run by folders; a stage belongs to the first whose folder is its own or around it."""
OTHER = "other"


def by_part(
    manifests: Mapping[str, Manifest], parts: Mapping[str, tuple[str, ...]] = PARTS
) -> dict[str, list[Manifest]]:
    """The stages of each part that has some, in the order of the parts; the rest last, as `other`.

    Args:
        manifests: by folder, relative to the run's.
        parts: as `PARTS`.
    """
    found: dict[str, list[Manifest]] = {part: [] for part in (*parts, OTHER)}
    for folder, manifest in manifests.items():
        around = (
            name
            for name, places in parts.items()
            if any(folder == place or folder.startswith(f"{place}/") for place in places)
        )
        found[next(around, OTHER)].append(manifest)
    return {part: stages for part, stages in found.items() if stages}


def time_passed(manifests: Iterable[Manifest]) -> float:
    """Seconds in which at least one stage ran: the union of the stages' spans, each up to its publication.

    A stage that was stopped counts as if it had run all its time at its end.
    """
    spans = sorted(
        (end - manifest.wall_seconds, end)
        for manifest in manifests
        for end in [datetime.fromisoformat(manifest.created).timestamp()]
    )
    passed, until = 0.0, float("-inf")
    for begin, end in spans:
        passed += max(0.0, end - max(begin, until))
        until = max(until, end)
    return passed
