"""Section: the numbers that matter most."""

from __future__ import annotations

from markupsafe import Markup

from pipeline.config.evaluation import ReportConfig
from pipeline.report.formats import DASH, duration, percent, scaled
from pipeline.report.inputs import Run
from pipeline.report.section import Section
from pipeline.search_space.architecture import COMPONENTS


def summary_section(run: Run, settings: ReportConfig) -> Section:
    """AP, AP50, parameters, MACs, time per image and total time, as tiles."""
    metrics, speed = run.metrics, run.speed
    height, width = metrics.input_size
    proposals = "" if metrics.proposals is None else f", {metrics.proposals} proposals"
    layers = sum(len(run.architecture.blocks(component)) for component in COMPONENTS)
    manifests = run.manifests.values()
    gpu_hours = sum(manifest.gpu_hours for manifest in manifests)
    threads = "1 thread" if speed.threads == 1 else f"{speed.threads} threads"
    # not the time that passed: stages run side by side
    spent = f"sum of {len(manifests)}"
    if gpu_hours:
        spent += f", {gpu_hours:.1f} GPU-hours"
    tiles = (
        (_percent(metrics.AP), "AP", "IoU 0.50 to 0.95"),
        (_percent(metrics.AP50), "AP50", f"{metrics.images:,} {run.evaluated} images"),
        (scaled(metrics.params), "parameters", f"{layers} searched layers"),
        (scaled(metrics.macs), "MACs", f"at {height} × {width} px{proposals}"),
        (duration(speed.seconds_per_image), "per image", f"{speed.device}, {threads}"),
        (duration(sum(m.wall_seconds for m in manifests)), "of stages", spent),
    )
    items = Markup("").join(
        Markup("<li><b>{}</b><span>{}</span><small>{}</small></li>").format(*tile) for tile in tiles
    )
    shown = Markup('<ul class="tiles">{}</ul>').format(items)
    return Section("summary", "The searched detector in numbers", (shown,), "Summary")


def _percent(fraction: float | None) -> str:
    shown = percent(fraction)
    return shown if shown == DASH else f"{shown} %"
