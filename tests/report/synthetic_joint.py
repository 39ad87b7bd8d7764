"""Adds Joint-DetNAS to a synthetic run: evaluations of base and student, a small search, the allocation."""

from __future__ import annotations

import shutil
from pathlib import Path

from made_up_metrics import manifest
from made_up_search import made_up_search

from pipeline.artifacts.files import read_json, write_json
from pipeline.artifacts.manifest import Input
from pipeline.hill_climb.descent import Descent

BESIDE = (
    "joint_detnas/student/evaluation",
    "joint_detnas/base/evaluation",
    "joint_detnas/base_longer/evaluation",
    "joint_detnas/hill_climb/descent",
    "figures/joint_figure7",
)
NUMBERS = {"base": (0.30, 104_300_000), "base_longer": (0.32, 104_300_000)}
STUDENT = (0.345, 71_000_000)


def add_joint(folder: Path) -> None:
    """Write what the report reads; evaluations are the searched detector's with other numbers."""
    root = folder / "joint_detnas"
    for name, (ap, macs) in {**NUMBERS, "student": STUDENT}.items():
        target = root / f"{name}/evaluation"
        shutil.copytree(folder / "hit_detector/evaluation", target)
        write_json(
            target / "metrics.json", read_json(target / "metrics.json") | {"AP": ap, "macs": macs}
        )
    (root / "hill_climb/descent").mkdir(parents=True)
    (root / "hill_climb/descent/descent.json").write_bytes(Descent(made_up_search()).content())
    base = {"stem": {"blocks": 0, "macs": 4_000_000}, "stage1": {"blocks": 2, "macs": 30_000_000}}
    student = {
        "stem": {"blocks": 0, "macs": 3_000_000},
        "stage1": {"blocks": 1, "macs": 12_000_000},
    }
    write_json(
        folder / "figures/joint_figure7/allocation.json",
        {"format": 1, "base": base, "student": student},
    )
    candidate = root / "hill_climb/generation_0/candidate_0"
    candidate.mkdir(parents=True)
    trained = manifest(100.0)
    (candidate / "manifest.json").write_bytes(trained.content())
    path = "joint_detnas/hill_climb/generation_0/candidate_0/manifest.json"
    origin = {"candidate": Input(path=path, version=trained.version)}
    for place in BESIDE:
        made = manifest(10.0).model_copy(update={"inputs": origin})
        (folder / place / "manifest.json").write_bytes(made.content())
