"""Section: the numbers that matter most."""

from __future__ import annotations

from markupsafe import Markup

from pipeline.config.evaluation import ReportConfig
from pipeline.console import counted
from pipeline.report.formats import DASH, accuracy, duration, scaled
from pipeline.report.inputs import EVALUATION, Run
from pipeline.report.section import Section
from pipeline.report.stage_times import time_passed
from pipeline.search_space.architecture import COMPONENTS


def summary_section(run: Run, settings: ReportConfig) -> Section:
    """AP, AP50, parameters, MACs, time per image and total time, as tiles."""
    metrics, speed = run.metrics, run.speed(EVALUATION)
    height, width = metrics.input_size
    proposals = "" if metrics.proposals is None else f", {metrics.proposals} proposals"
    layers = sum(len(run.architecture.blocks(component)) for component in COMPONENTS)
    manifests = run.manifests.values()
    gpu_hours = sum(manifest.gpu_hours for manifest in manifests)
    # stages run side by side, so less time passed than they took
    spent = f"in {duration(time_passed(manifests))}"
    if gpu_hours:
        spent += f", {gpu_hours:.1f} GPU-hours"
    tiles = (
        (accuracy(metrics.AP), "AP", "IoU 0.50 to 0.95"),
        (accuracy(metrics.AP50), "AP50", f"{metrics.images:,} {run.evaluated} images"),
        (scaled(metrics.params), "parameters", f"{layers} searched layers"),
        (scaled(metrics.macs), "MACs", f"at {height} × {width} px{proposals}"),
        (DASH, "per image", "not timed")
        if speed is None
        else (
            duration(speed.seconds_per_image),
            "per image",
            f"{speed.device}, {counted(speed.threads, 'thread')}",
        ),
        (
            duration(sum(m.wall_seconds for m in manifests)),
            f"of {counted(len(manifests), 'stage')}",
            spent,
        ),
    )
    items = Markup("").join(
        Markup("<li><b>{}</b><span>{}</span><small>{}</small></li>").format(*tile) for tile in tiles
    )
    shown = Markup('<ul class="tiles">{}</ul>').format(items)
    return Section("summary", "The searched detector in numbers", (shown,))
