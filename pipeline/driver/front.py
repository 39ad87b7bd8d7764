"""What the rules of `snakemake front` need: which detectors stand beside the front, which jobs there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.artifacts.manifest import MANIFEST
from pipeline.config.front import Breeding
from pipeline.config.root import Config
from pipeline.driver.inputs import grouped
from pipeline.driver.layout import Layout

JOINT = ("base", "student", "upgrade")
"""Detectors of Joint-DetNAS's chain."""


def stock_folders(config: Config) -> dict[str, str]:
    """The folders of detectors that can stand beside a front, from the run's, by their names in the table."""
    joint = {name: f"joint_detnas/{name}" for name in JOINT}
    baselines = {f"baseline_{name}": f"baselines/{name}" for name in config.named_baselines}
    return {"hit_detector": "hit_detector", **joint, **baselines}


def stock_inputs(run: Layout) -> dict[str, str]:
    """The manifests of those that `front.stock` names; without that, of those that are there already."""
    manifests = {
        name: f"{run.folder}/{folder}/detector/{MANIFEST}"
        for name, folder in stock_folders(run.config).items()
    }
    wanted = run.config.front.stock
    if wanted is None:
        chosen = [name for name, path in manifests.items() if Path(path).exists()]
    else:
        chosen = [name.replace("baselines/", "baseline_") for name in wanted]
    return grouped("stock", {name: manifests[name] for name in chosen})


def bred_inputs(run: Layout, generation: int) -> dict[str, str]:
    """What a generation is bred from: the one before and its shards; nothing for the first."""
    if generation == 0:
        return {}
    former = run.front / f"generation_{generation - 1}"
    shards = {str(k): f"{former}/shard_{k}/{MANIFEST}" for k in range(run.config.front.shards)}
    return {"former": f"{former}/{MANIFEST}", **grouped("shards", shards)}


def predictor_input(run: Layout) -> dict[str, str]:
    """The predictor of latency; none where no latency is measured."""
    timed = run.config.evaluation.latency is not None
    return {"predictor": f"{run.front}/predictor/{MANIFEST}"} if timed else {}


def breeding_settings(config: Config, generation: int) -> dict[str, Any]:
    """What a generation depends on besides the evaluations."""
    breeding = config.front.model_dump(mode="json", include=set(Breeding.model_fields))
    last = generation == config.front.generations
    return {"breeding": breeding, "generation": generation, "last": last}
