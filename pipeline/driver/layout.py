"""Where the results of a run lie, seen from the folder in which Snakemake was started."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.artifacts.manifest import MANIFEST
from pipeline.config.root import Config

AGAIN = "ablations/again/"
"""Networks that are trained again with another seed: the architecture of `<network>`, in
`ablations/again/<k>/<network>/` with the seed `run.seed` + k."""

FINALISTS = "hit_detector/finalists/"
"""Networks that the search makes likely, by number, each trained for a short time."""

PIPELINES = {
    "base_prune_distil": "joint_detnas/base",
    "nas_prune_distil": "joint_detnas/pipelines/nas",
}
"""The pipelines of Joint-DetNAS's Table 5, and the detectors that they start from."""


@dataclass(frozen=True)
class Layout:
    """The folders of a run.

    Attributes:
        config: the run's.
    """

    config: Config

    @cached_property
    def folder(self) -> Path:
        """The run's own."""
        return Path("results") / self.config.run.name

    @cached_property
    def hit(self) -> Path:
        """Hit-Detector's chain."""
        return self.folder / "hit_detector"

    @cached_property
    def joint(self) -> Path:
        """Joint-DetNAS's chain."""
        return self.folder / "joint_detnas"

    @cached_property
    def ablations(self) -> Path:
        """What Hit-Detector's tables and figures are made of besides its chain."""
        return self.folder / "ablations"

    @cached_property
    def base(self) -> Path:
        """The detector that Joint-DetNAS begins with."""
        return self.joint / "base/detector"

    @cached_property
    def pool(self) -> Path:
        """The phases of the teacher pool."""
        return self.joint / "teacher_pool"

    @cached_property
    def last_phase(self) -> Path:
        """The manifest of the trained teacher pool."""
        return self.pool / f"phase_{len(self.config.teacher_pool.phases) - 1}" / MANIFEST

    @cached_property
    def front(self) -> Path:
        """The front of the pool's subnets, and the search for it."""
        return self.folder / "front"

    def evaluation(self, detector: str) -> str:
        """The manifest of a detector's evaluation; the detector lies in `<run>/<detector>/detector/`."""
        return f"{self.folder}/{detector}/evaluation/{MANIFEST}"


JOINT_DETECTORS = ("base", "base_longer", "student")
"""Detectors of Joint-DetNAS that the report compares."""


def compared_detectors(layout: Layout) -> dict[str, str]:
    """The manifests of the detectors that the report's first table compares, by names without a slash."""
    config = layout.config
    folders = ["hit_detector"]
    if "joint_detnas" in config.run.methods:
        folders += [f"joint_detnas/{name}" for name in JOINT_DETECTORS]
        if config.report.joint_random:
            folders.append("joint_detnas/random/student")
    if config.report.random:
        folders += [f"ablations/random/{k}" for k in range(config.ablations.random.networks)]
        folders.append("ablations/plain")
    return {
        name.replace("/", "_"): f"{layout.folder}/{name}/detector/{MANIFEST}" for name in folders
    }


def seed_evaluations(layout: Layout) -> dict[str, str]:
    """The manifests of the evaluations of each seed's run, by `<seed>.<detector>`; none before all are there.

    No rule of this run makes those of another one.
    """
    folders = {"hit_detector": "hit_detector"}
    if "joint_detnas" in layout.config.run.methods:
        folders |= {name: f"joint_detnas/{name}" for name in JOINT_DETECTORS}
    runs = layout.config.run.seed_runs()
    found = {
        f"{seed}.{name}": f"{layout.folder.with_name(run)}/{folder}/evaluation/{MANIFEST}"
        for seed, run in runs.items()
        for name, folder in folders.items()
    }
    own = layout.config.run.seed
    others = [path for key, path in found.items() if not key.startswith(f"{own}.")]
    return found if others and all(Path(path).exists() for path in others) else {}
