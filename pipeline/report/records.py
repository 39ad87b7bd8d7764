"""Sections: time of each stage, the data, and what is needed to reproduce the run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pipeline.config.evaluation import ReportConfig
from pipeline.console import counted
from pipeline.report.formats import duration
from pipeline.report.inputs import SCREENING, SEARCH, Run
from pipeline.report.section import Group, Section, paragraph
from pipeline.report.stage_times import by_part, time_passed
from pipeline.report.tables import Cell, Column, Table
from pipeline.search_space.architecture import COMPONENTS


def time_section(run: Run, settings: ReportConfig) -> Section:
    """Wall time, GPU-hours and memory of the run's parts and, folded, of every stage."""
    rows: list[tuple[Cell, ...]] = [
        (
            folder,
            manifest.wall_seconds,
            manifest.gpu_hours,
            manifest.peak_memory and round(manifest.peak_memory / 2**30, 2),
            manifest.device,
        )
        for folder, manifest in run.manifests.items()
    ]
    manifests = run.manifests.values()
    seconds = sum(manifest.wall_seconds for manifest in manifests)
    hours = sum(manifest.gpu_hours for manifest in manifests)
    rows.append(("total", seconds, hours, None, ""))
    table = Table(
        "time",
        (
            Column("stage", "folder"),
            Column("wall time", "wall_seconds", "seconds", bar=True),
            Column("GPU-hours", "gpu_hours", "decimal"),
            Column("memory, GiB", "peak_memory_gib", "decimal"),
            Column("device", "device"),
        ),
        rows,
        total=True,
    )
    parts: list[tuple[Cell, ...]] = [
        (
            part,
            len(stages),
            sum(stage.wall_seconds for stage in stages),
            sum(stage.gpu_hours for stage in stages),
            max((stage.peak_memory or 0 for stage in stages), default=0) / 2**30 or None,
        )
        for part, stages in by_part(run.manifests).items()
    ]
    parts.append(("total", len(manifests), seconds, hours, None))
    grouped = Table(
        "time_parts",
        (
            Column("part of the run", "part"),
            Column("stages", "stages", "count"),
            Column("their time, added up", "wall_seconds", "seconds", bar=True),
            Column("GPU-hours", "gpu_hours", "decimal"),
            Column("most memory, GiB", "peak_memory_gib", "decimal"),
        ),
        parts,
        total=True,
    )
    intro = paragraph(
        "The stages took {} together. Stages that do not need each other run side by side: some stage was "
        "running for {}. Memory is that of a stage's largest process.",
        duration(seconds),
        duration(time_passed(manifests)),
    )
    fold = Group((table,), "fold", f"Each of the {len(manifests)} stages")
    return Section("time", "Time", (intro, grouped, fold))


def data_section(run: Run, settings: ReportConfig) -> Section:
    """Images and objects of each split."""
    statistics = run.dataset.statistics
    keys = list(dict.fromkeys(key for counts in statistics.values() for key in counts))
    table = Table(
        "data",
        (Column("split", "split"), *(Column(_words(key), key, "count") for key in keys)),
        [(split, *(counts.get(key) for key in keys)) for split, counts in statistics.items()],
    )
    classes = run.dataset.classes
    number = counted(len(classes), "class", "classes")
    intro = paragraph(
        "Source: {}. {}. Small objects have less than 32² pixels, large ones more than 96².",
        run.dataset.content.source,
        number,
    )
    listed = Group((paragraph("{}", ", ".join(classes)),), "fold", f"The {number}")
    return Section("data", "Data", (intro, table, listed))


def _words(key: str) -> str:
    return key.replace("with_boxes", "with objects").replace("_", " ")


def reproducibility_section(run: Run, settings: ReportConfig) -> Section:
    """Seed, versions, the settings that shape the result, and every stage's whole config."""
    manifest, root = run.manifests[run.root], PurePosixPath(run.root).name
    rows: list[tuple[Cell, ...]] = [
        ("seed", ", ".join(sorted({str(item.seed) for item in run.manifests.values()}))),
        *_search_settings(run),
        (f"version of the {root}", manifest.version),
        (f"code of the {root}", manifest.code),
        *((f"{name}", version) for name, version in manifest.packages.items()),
    ]
    table = Table("reproducibility", (Column("", "name"), Column("", "value")), rows)
    configs = Table(
        "settings",
        (Column("stage", "folder"), Column("setting", "setting"), Column("value", "value")),
        [
            (folder, key, value)
            for folder, item in run.manifests.items()
            for key, value in flat(item.config)
        ],
    )
    warnings = [
        paragraph('<b class="warning">{}</b>', sentence) for sentence in mixed_versions(run)
    ]
    fold = Group((configs,), "fold", "All settings of all stages")
    return Section("reproducibility", "Reproducibility", (*warnings, table, fold))


def _search_settings(run: Run) -> Iterator[tuple[Cell, ...]]:
    """What shapes the result of Hit-Detector's search, where there was one."""
    if run.searched and run.scores_paths:
        yield "strategy of the search", run.paths.strategy
    elif run.searched:
        weight = run.setting(SEARCH, "search", "cost_weight")
        yield "λ, weight of the cost in the search", f"{weight} per {run.weighed}"
    if run.screened:
        screening = f"{SCREENING}/{COMPONENTS[0]}"
        mu = run.setting(screening, "screening", "mu")
        yield "μ, weight of the regulariser in screening", str(mu)
        yield "regulariser", str(run.setting(screening, "screening", "regularizer"))


def mixed_versions(run: Run) -> list[str]:
    """A sentence for each stage whose inputs have been made anew since it ran."""
    return [
        f"{folder} was made from another version of {source} than the one in this run."
        for folder, manifest in run.manifests.items()
        for origin in manifest.inputs.values()
        if (source := origin.path.rpartition("/")[0]) in run.manifests
        and run.manifests[source].version != origin.version
    ]


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of a config as dotted keys and JSON."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, json.dumps(value, ensure_ascii=False)
