"""More rows of bad inputs: architecture files, artifacts, command lines, values of the config."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bad_input_row import CLASSIFICATION, DETECTION, Row, Spoil, configure, cut, write
from bad_input_world import ARCHITECTURE, CONFIG, RUN, World

FILE = "data/architecture.json"
PUBLISHED = RUN / "data/detection"
MANIFEST, INDEX = f"{PUBLISHED}/manifest.json", f"{PUBLISHED}/dataset.json"
ARTIFACTS, PREDICT = "artifacts", "predict"
INFINITY = float("inf")


def nothing(world: World) -> None:
    """Spoil nothing: the command line is what is wrong."""


def change(path: str, *keys: Any, value: Any) -> Spoil:
    """Set a value in a JSON file."""

    def spoil(world: World) -> None:
        file = world.folder / path
        content = part = json.loads(file.read_text())
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = value
        file.write_text(json.dumps(content))

    return spoil


def remove(path: str) -> Spoil:
    """Delete a file."""
    return lambda world: (world.folder / path).unlink()


def replace(path: str, old: bytes, new: bytes) -> Spoil:
    """Replace the first of some bytes in a file."""

    def spoil(world: World) -> None:
        content = (world.folder / path).read_bytes()
        assert old in content
        (world.folder / path).write_bytes(content.replace(old, new, 1))

    return spoil


def architecture(name: str, spoil: Callable[[World], object], *message: str) -> Row:
    """A row of an architecture file."""
    return Row(f"architecture: {name}", spoil, ARCHITECTURE, (FILE, *message))


def artifact(name: str, spoil: Callable[[World], object], *message: str) -> Row:
    """A row of an artifact that the classification data's stage reads."""
    return Row(f"artifact: {name}", spoil, CLASSIFICATION, message)


def line(name: str, command: str, arguments: tuple[str, ...], *message: str) -> Row:
    """A row of a command line."""
    return Row(f"command line: {name}", nothing, command, message, arguments)


STAGES = ("backbone", "stages")
ARCHITECTURES = (
    architecture("missing", remove(FILE), "is missing"),
    architecture("empty", write(FILE, b""), "is empty"),
    architecture("cut off", cut(FILE, 0.7), "is cut off"),
    architecture("not text", write(FILE, b"\x89PNG\xff"), "is not UTF-8 text"),
    architecture("a number that JSON lacks", replace(FILE, b"0.5", b"NaN"), "NaN is not a JSON"),
    architecture("a list", write(FILE, b"[]"), "is not an architecture file"),
    architecture("nested without end", write(FILE, b"[" * 100_000), "is not JSON"),
    architecture("of another format", change(FILE, "format", value=2), "format: Input should be 1"),
    architecture(
        "operation that does not exist",
        change(FILE, *STAGES, 1, 0, "operation", value="pool_k3"),
        "backbone.stages.1.0.operation",
        "unknown operation 'pool_k3'",
        "expected ir_k<kernel>",
    ),
    architecture(
        "no channels", change(FILE, *STAGES, 2, 1, "channels", value=0), "stages.2.1.channels"
    ),
    architecture(
        "stage that does not halve",
        change(FILE, *STAGES, 0, 0, "stride", value=1),
        "stage 1: one block must have stride 2, the others 1",
    ),
    architecture(
        "laterals of two widths",
        change(FILE, "neck", "top_down", 0, "channels", value=9),
        "neck: ",
        "same channels",
    ),
    architecture(
        "anchors without a shape",
        change(FILE, "rpn", "anchor_ratios", value=[1, 0]),
        "rpn.anchor_ratios.1: Input should be greater than 0",
    ),
    architecture("no proposals", change(FILE, "rpn", value=None), "rpn must be null with a head"),
    architecture("unknown key", change(FILE, "tail", value=1), "tail: Extra inputs"),
)

PUBLISHED_ARTIFACTS = (
    artifact("manifest is missing", remove(MANIFEST), f"{MANIFEST} is missing"),
    artifact("manifest is cut off", cut(MANIFEST, 0.5), f"{MANIFEST} is cut off"),
    artifact(
        "manifest is altered",
        replace(MANIFEST, b'"seed": 0', b'"seed": 1'),
        f"{MANIFEST} was altered: its own digest says sha256:",
    ),
    artifact(
        "manifest with other spaces",
        replace(MANIFEST, b"\n ", b"\n\t"),
        f"{MANIFEST} was altered",
    ),
    artifact(
        "manifest of another format",
        write(MANIFEST, b'{"format": 9}'),
        f"{MANIFEST} is not a manifest of format 1",
    ),
    artifact("file is missing", remove(INDEX), f"{INDEX} is missing (expected sha256:"),
    artifact(
        "file is cut off",
        cut(INDEX, 0.9),
        f"{INDEX} was altered: expected sha256:",
        "found sha256:",
    ),
    artifact(
        "file with another letter",
        replace(INDEX, b"cat", b"cap"),
        f"{INDEX} was altered: expected sha256:",
    ),
    artifact("file is empty", write(INDEX, b""), f"{INDEX} was altered"),
)

COMMAND_LINES = (
    line("settings are not JSON", DETECTION, ("--settings", "{"), "--settings is not JSON"),
    line("settings are a list", DETECTION, ("--settings", "[]"), "--settings: "),
    line(
        "settings with an unknown section",
        DETECTION,
        ("--settings", '{"nothing": 1}'),
        "nothing: unknown key",
    ),
    line(
        "manifest of another name",
        DETECTION,
        ("--manifest", "out/result.json"),
        "--manifest must be named manifest.json, not result.json",
    ),
    line(
        "input that nobody published",
        CLASSIFICATION,
        ("--detection", "nowhere/manifest.json"),
        "nowhere/manifest.json is missing",
    ),
    line("no thread", DETECTION, ("--threads", "0"), "--threads must be 1 to 65536, not 0"),
    line(
        "code that is no digest",
        DETECTION,
        ("--code", "abc"),
        "--code must be `untracked` or a digest",
        "not abc",
    ),
    line(
        "checkpoints in the past",
        DETECTION,
        ("--checkpoint-seconds", "-1"),
        "--checkpoint-seconds must not be negative, and is -1",
    ),
    line("verify no folder", ARTIFACTS, ("verify", "nowhere"), "nowhere is no folder"),
    line("verify no run", ARTIFACTS, ("verify", "data"), "data: no stage has published anything"),
    line(
        "lineage of no artifact",
        ARTIFACTS,
        ("lineage", str(RUN)),
        f"{RUN}/manifest.json is missing",
    ),
    line("history of no artifact", ARTIFACTS, ("history", "data"), "data/history.jsonl is missing"),
    line(
        "predict on no image",
        PREDICT,
        (str(PUBLISHED), "nowhere.png"),
        "no such image: nowhere.png",
    ),
    line(
        "predict without a detector",
        PREDICT,
        ("data", "data/val/0.png"),
        "data/manifest.json is missing",
    ),
)


def value(name: str, path: str, given: Any, *message: str) -> Row:
    """A row of a value in the config."""
    spoil = configure(**{path.replace(".", "__"): given})
    return Row(f"config: {name}", spoil, CONFIG, (path, *message))


VALUES = (
    value("run outside results", "run.name", "..", "is made of letters", "given: '..'"),
    value("negative seed", "run.seed", -1, "greater than or equal to 0"),
    value("device that does not exist", "run.device", "gpu", "'auto', 'cpu' or 'cuda'"),
    value("section without content", "search", None, "given: None"),
    value("unknown key", "search.epoch", 3, "unknown key"),
    value("text for a number", "search.epochs", "many", "valid integer", "given: 'many'"),
    value("no image in a batch", "training.batch_size", 0, "greater than 0"),
    value("infinite weight", "search.cost_weight", INFINITY, "finite number"),
    value("division by nothing", "normalization.std", [0, 1, 1], "greater than 0"),
    value("three stages", "supernet.depth", [1, 1, 1], "supernet.depth.3: Field required"),
    value("source that does not exist", "data.detection.source", "csv", "'yolo' or 'voc'"),
    value("score above 1", "report.score_threshold", 2, "less than or equal to 1"),
)

ARTIFACT_ROWS = (*ARCHITECTURES, *PUBLISHED_ARTIFACTS, *COMMAND_LINES, *VALUES)
