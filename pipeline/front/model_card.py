"""The model card of a picked detector, in Markdown (Mitchell et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.manifest import Manifest
from pipeline.console import counted
from pipeline.data.index import DatasetIndex
from pipeline.deploy.parity import Parity
from pipeline.front.picking import Picked
from pipeline.front.table import Accuracy, Front, Row, standard_error

USE = (
    "`python -m pipeline.predict detector.onnx photo.jpg --score 0.5 --out drawn.png` draws what it "
    "finds. A program of your own needs onnxruntime alone. The input `image` is (1, 3, height, "
    "width), RGB, uint8, of an image that was resized as above. The outputs are `boxes` (n, 4) in its "
    "pixels (left, top, right, bottom), `scores` (n,) and `labels` (n,), places in the list of "
    "classes. Detections of low scores are among them: draw some photographs, and choose a least "
    "score."
)
UNSTATED = "not stated in the config (`front.licences`)"


def model_card(
    run: str, front: Front, picked: Picked, manifest: Manifest, data: DatasetIndex, parity: Parity
) -> str:
    """The text of the card.

    Args:
        run: its name.
        front: that the detector is of.
        picked: the detector, and the one after it.
        manifest: of the front.
        data: on which it was trained and judged.
        parity: of the exported file.
    """
    row = picked.best
    longest, shortest = row.resolution
    parts = [
        f"# {row.name} of run {_inline(run)}",
        f"An object detector by DetSearch: {_kind(row)}. Images are resized to fit in {longest} × {shortest} "
        "pixels, their proportions kept.",
        "## Data",
        _splits(data.statistics),
        f"Source: {data.content.source}. Classes ({len(data.classes)}): "
        + ", ".join(map(_inline, data.classes))
        + ".",
        "## Accuracy",
        _accuracies(row),
        "It was chosen by its AP on val, which flatters that number."
        + (" The test split took no part in the choice." if row.test else ""),
        f"Beside the others of the front: {picked}.",
        "## Cost",
        f"- {row.params:,} parameters, {row.macs:,} multiply-accumulates an image",
        _latency(row, front),
        "## The ONNX file",
        f"`detector.onnx`, compared with PyTorch: {parity}.",
        USE,
        "## How it was made",
        _made(row, front, manifest),
        "## Licences",
        f"- Images and annotations: {_stated(front.licences.data)}\n"
        f"- Weights that were started from: {_stated(front.licences.weights)}",
    ]
    return "\n\n".join(parts) + "\n"


def _kind(row: Row) -> str:
    if row.subnet is None:
        return "a network that was trained on its own"
    subnet = row.subnet
    return (
        f"a subnet of an elastic pool (Faster R-CNN, FPN, ResNet; blocks {list(subnet.depths)}, widths "
        f"{list(subnet.widths)}, neck {subnet.neck_width:g})"
    )


def _splits(statistics: Mapping[str, Mapping[str, int]]) -> str:
    lines = ["| split | images | objects |", "|---|---|---|"]
    lines += [
        f"| {name} | {counts['images']:,} | {counts['objects']:,} |"
        for name, counts in statistics.items()
    ]
    return "\n".join(lines)


def _accuracies(row: Row) -> str:
    error = standard_error(row)
    noise = f"{error:.3f}" if error is not None else "not known"
    lines = ["| split | AP | AP50 | standard error of AP |", "|---|---|---|---|"]

    def line(name: str, found: Accuracy, shown: str) -> str:
        return f"| {name} | {found.ap:.3f} | {found.ap50:.3f} | {shown} |"

    lines.append(line("val", row.val, noise))
    if row.test:
        lines.append(line("test", row.test, ""))
    return "\n".join(lines)


def _latency(row: Row, front: Front) -> str:
    record, latency = front.latencies, row.latency
    if record is None or latency is None:
        return f"- latency: not measured{f' ({row.not_timed})' if row.not_timed else ''}"
    packages = ", ".join(f"{name} {version}" for name, version in record.packages.items())
    return (
        f"- {latency.median:.2f} ms an image (quartiles {latency.lower_quartile:.2f} to "
        f"{latency.upper_quartile:.2f}, {latency.runs} runs), from pixels to boxes, by {record.runtime} on "
        f"{record.device}, {counted(record.threads, 'thread')}; {packages}"
    )


def _made(row: Row, front: Front, manifest: Manifest) -> str:
    if row.subnet is None:
        how = f"Trained on its own (`{row.detector}` of the run)."
    else:
        how = (
            f"One of {front.evaluated} subnets that NSGA-II evaluated, taken from the pool without training "
            "of its own; its batch statistics were measured anew on training images."
        )
    packages = ", ".join(f"{name} {version}" for name, version in manifest.packages.items())
    return f"{how}\n\n- seed {manifest.seed}\n- version of the front: `{manifest.version}`\n- {packages}"


def _stated(licence: str | None) -> str:
    return UNSTATED if licence is None else _inline(licence)


def _inline(text: str) -> str:
    """Text of a user's as it is, in one line of Markdown."""
    escaped = "".join(f"\\{sign}" if sign in "\\`*_[]<>|#&" else sign for sign in text)
    return " ".join(escaped.split())
