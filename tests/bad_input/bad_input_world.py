"""A small user's project in a temporary folder: sound data, a config, and what earlier stages published.

A row of the table spoils one thing in it and runs one command; `World.attempt` tells how that ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import runpy
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from pipeline.artifacts.kept import discard_kept
from pipeline.artifacts.manifest import MANIFEST, Origin
from pipeline.artifacts.publish import publish
from pipeline.artifacts.weights import save_weights
from pipeline.config.root import ConfigError, load_config
from pipeline.config.sections import sections
from pipeline.errors import DetSearchError
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import COMPONENTS, Architecture

CONFIG = "config"
"""The command that validates the config, as Snakemake does before anything else."""
ARCHITECTURE = "architecture"
"""The command that reads an architecture file."""
PROGRAMS = ("artifacts", "begin", "doctor", "plan", "predict", "status")
"""Commands of the package besides the stages."""
RUN = Path("results/mine")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Command:
    """How a stage is called: its folder in the run, its sections, its inputs, and further arguments."""

    folder: str
    settings: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


STAGES = {
    "prepare_detection_data": Command("data/detection", {"dataset": "data.detection"}),
    "prepare_classification_data": Command(
        "data/classification", {"dataset": "data.classification"}, {"detection": "data/detection"}
    ),
    "import_weights": Command(
        "data/weights/backbone", {"file": "data.classification.checkpoint.backbone"}
    ),
    "train_detector": Command(
        "hit_detector/detector",
        {name: name for name in ("normalization", "detector", "testing", "training")},
        {
            "data": "data/detection",
            "architecture": "hit_detector",
            "backbone": "data/weights/backbone",
        },
    ),
}


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit code (0, 1, …), and the errors that it reported."""

    code: int
    errors: list[str]


class World:
    """The project; `config` and everything below `folder` may be spoilt.

    Attributes:
        folder: where commands run; relative paths start here.
        config: what the user's config file says.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config: dict[str, Any] = {
            "run": {"name": RUN.name, "device": "cpu"},
            "supernet": {
                "input_size": [32, 64],
                "stem_channels": 4,
                "channels": [4, 4, 4, 4],
                "depth": [1, 1, 1, 1],
                "neck_channels": 4,
                "rpn_channels": 4,
                "head_blocks": 1,
                "head_fc_channels": 4,
                "roi_size": 3,
            },
            "data": {
                "detection": {
                    "source": "coco",
                    "coco": {
                        split: {"annotations": f"data/{split}.json", "images": f"data/{split}"}
                        for split in SPLITS
                    },
                },
                "classification": {
                    "source": "crops",
                    "crops": {"smallest": 4, "image_size": 16},
                    "checkpoint": {"backbone": "data/backbone.safetensors"},
                    "image_folder": {"train": "data/folders/train", "val": "data/folders/val"},
                },
            },
        }

    @classmethod
    def sound(cls, folder: Path) -> World:
        """Write sound data, and publish what the stages make of it."""
        world = cls(folder)
        rng = np.random.default_rng(0)
        for split in SPLITS:
            (folder / "data" / split).mkdir(parents=True)
            for number in range(3):
                pixels = rng.integers(0, 255, (32, 40, 3), np.uint8)
                Image.fromarray(pixels).save(folder / "data" / split / f"{number}.png")
            world.annotations(split).write_text(json.dumps(_coco()))
        for split in ("train", "val"):
            for name in ("cat", "dog"):
                (folder / "data" / "folders" / split / name).mkdir(parents=True)
                Image.new("RGB", (8, 8)).save(folder / "data" / "folders" / split / name / "0.png")
        (folder / "data/architecture.json").write_text(json.dumps(_architecture()))
        assert world.attempt(ARCHITECTURE) == Outcome(0, [])
        save_weights(
            folder / "data/backbone.safetensors", {"stem.0.weight": torch.ones(4, 3, 3, 3)}
        )
        for stage in ("prepare_detection_data", "prepare_classification_data", "import_weights"):
            world.source(STAGE_SOURCES.get(stage, "crops"))
            outcome = world.attempt(stage)
            assert outcome == Outcome(0, []), outcome
        for manifest in [*(folder / RUN).rglob(MANIFEST)]:
            discard_kept(manifest.parent)  # as Snakemake does that has seen the stages end well
        world.source("crops")
        world.architecture().save(folder / "architecture.json")
        publish(
            folder / RUN / "hit_detector",
            {"architecture.json": folder / "architecture.json"},
            Origin(stage="derive", config={}, code=None, inputs={}, seed=0),
        )
        return world

    def architecture(self) -> Architecture:
        """What the search derived: the same operation everywhere."""
        shape = load_config(self.config).supernet
        return supernet_architecture(shape, 2, shape.depth, dict.fromkeys(COMPONENTS, "conv_k3_d1"))

    def copy(self, folder: Path) -> World:
        """The same project elsewhere."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        world = World(folder)
        world.config = json.loads(json.dumps(self.config))
        return world

    # what rows spoil

    def annotations(self, split: str) -> Path:
        """The annotation file of a split."""
        return self.folder / "data" / f"{split}.json"

    def edit(self, split: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the content of an annotation file."""
        content = json.loads(self.annotations(split).read_text())
        change(content)
        self.annotations(split).write_text(json.dumps(content))

    def source(self, name: str) -> None:
        """Choose the source of the classification data."""
        self.config["data"]["classification"]["source"] = name

    def set(self, path: str, value: Any) -> None:
        """Set a value of the config by its dotted path."""
        *parents, last = path.split(".")
        section = self.config
        for key in parents:
            section = section.setdefault(key, {})
        section[last] = value

    # what rows run

    def snapshot(self) -> dict[str, str]:
        """Digest of every published file by path; logs and private work folders left out."""
        results = self.folder / RUN
        return {
            path.relative_to(results).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(results.rglob("*"))
            if path.is_file() and not {"work", "logs"} & set(path.relative_to(results).parts)
        }

    def attempt(self, command: str, *line: str) -> Outcome:
        """Run a command as from the command line in the project's folder.

        Args:
            command: `config`, `architecture` (reads `data/architecture.json`), one of `PROGRAMS`, or the
                name of a stage.
            line: the arguments; those of a stage come after the ones that its rule writes.
        """
        if command == ARCHITECTURE:
            try:
                with contextlib.chdir(self.folder):
                    Architecture.load(Path("data/architecture.json"))
            except DetSearchError as error:
                return Outcome(1, [str(error)])
            return Outcome(0, [])
        if command in PROGRAMS:
            return _run_program(command, line, self.folder)
        if command == CONFIG:
            try:
                load_config(self.config)
            except ConfigError as error:
                return Outcome(1, [str(error)])
            return Outcome(0, [])
        return _run_stage(command, [*self.arguments(command), *line], self.folder)

    def arguments(self, stage: str) -> list[str]:
        """The command line that the stage's rule writes."""
        command = STAGES[stage]
        arguments = [
            "--settings",
            sections(
                load_config(self.config), constants=None, runs_network=None, **command.settings
            ),
        ]
        for name, source in command.inputs.items():
            arguments += [f"--{name}", str(RUN / source / "manifest.json")]
        manifest = RUN / command.folder / "manifest.json"
        return [*arguments, "--manifest", str(manifest), "--run-folder", str(RUN), "--threads", "1"]


STAGE_SOURCES = {"import_weights": "checkpoint"}
"""Source of the classification data that a stage belongs to, where it is not `crops`."""


def _run_program(name: str, line: Sequence[str], folder: Path) -> Outcome:
    """Run `python -m pipeline.<name>` in this process; its error is what it prints to stderr."""
    printed = io.StringIO()
    code: Any = 0
    argv = sys.argv
    try:
        sys.argv = [name, *line]
        with contextlib.chdir(folder), contextlib.redirect_stderr(printed):
            runpy.run_module(f"pipeline.{name}", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = argv
    if isinstance(code, str):  # what Python prints before it ends with 1
        return Outcome(1, [code])
    return Outcome(int(code or 0), [printed.getvalue().strip()])


def _run_stage(stage: str, arguments: list[str], folder: Path) -> Outcome:
    """Run the stage's module as `python -m` does, but in this process: importing torch takes seconds."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = records.append  # type: ignore[method-assign]
    log = logging.getLogger("detsearch")
    argv, threads = sys.argv, torch.get_num_threads()
    log.addHandler(handler)
    code: Any = 0
    try:
        sys.argv = [stage, *arguments]
        with contextlib.chdir(folder):
            runpy.run_module(f"pipeline.stages.{stage}", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    finally:
        log.removeHandler(handler)
        sys.argv = argv
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(False)
    return Outcome(int(code or 0), [record.getMessage() for record in records])


def _coco() -> dict[str, Any]:
    return {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 40, "height": 32} for n in range(3)],
        "annotations": [
            {
                "id": 10 + n,
                "image_id": n // 2,
                "category_id": 3 + n % 2,
                "bbox": [1 + n, 2.5, 10, 20],
                "area": 200,
                "iscrowd": 0,
            }
            for n in range(4)
        ],
        "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}],
    }


def _architecture() -> dict[str, Any]:
    """An architecture file, as docs/reference/formats.md shows it."""
    block = {"operation": "ir_k3_d1_e3", "channels": 8, "stride": 1}
    return {
        "format": 1,
        "family": "hit_detector",
        "classes": 2,
        "input_size": [64, 96],
        "backbone": {
            "type": "blocks",
            "stem": {"channels": 8, "bias": False},
            "stages": [[block | {"stride": 2}, block] for _ in range(4)],
        },
        "neck": {"type": "paths", "top_down": [block] * 4, "bottom_up": [block] * 4},
        "rpn": {"channels": 8, "anchor_scale": 4, "anchor_ratios": [0.5, 1.0, 2.0]},
        "head": {"type": "blocks", "roi_size": 5, "blocks": [block], "fc_channels": 16},
        "provenance": {},
    }
