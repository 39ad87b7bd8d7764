"""What every stage script shares: arguments, input checks, the work folder, publishing."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from pydantic import ValidationError

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.artifacts.files import json_bytes, write_bytes
from pipeline.artifacts.lock import locked
from pipeline.artifacts.manifest import MANIFEST, Origin, input_record, open_artifact
from pipeline.artifacts.publish import Content, publish
from pipeline.artifacts.spent import Spent
from pipeline.config.base import Section
from pipeline.config.problems import describe
from pipeline.config.scaling import scaled
from pipeline.environment import CPUS, OUTCOME
from pipeline.errors import DetSearchError
from pipeline.training import distributed
from pipeline.training.device import choose_device
from pipeline.training.loop import Interrupted, Record, Task, run_loop
from pipeline.training.seeding import seed_everything

INTERRUPTED = 75
"""Exit code of a stage that stopped with a committed checkpoint: run it again to continue."""

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
REFERENCE = "DETSEARCH_REFERENCE_GPUS"
"""GPUs for which the config's batch sizes and learning rates are written."""

log = logging.getLogger("detsearch")

S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Stage(Generic[S]):
    """What a stage works with.

    Attributes:
        name: of the stage, as in its module.
        settings: its validated config sections.
        inputs: the folders of the artifacts it reads, by argument name; their digests were checked.
            Those of an argument that takes several are named `<argument>.<name>`.
        options: further arguments, such as the component.
        folder: where it publishes.
        work: its private folder.
        seed: of the run.
        device: where it computes.
        checkpoint_seconds: between two checkpoints.
        events: folder for TensorBoard, which outlives the work folder.
        spent: time, over all jobs of the stage.
    """

    name: str
    settings: S
    inputs: Mapping[str, Path]
    options: Mapping[str, str]
    folder: Path
    work: WorkFolder
    seed: int
    device: torch.device
    checkpoint_seconds: float
    events: Path
    spent: Spent

    def train(self, task: Task, title: str, log_interval: int) -> list[Record]:
        """Run a task through the training loop; returns its history."""
        return run_loop(
            task,
            self.work,
            seed=self.seed,
            title=title,
            log_interval=log_interval,
            checkpoint_seconds=self.checkpoint_seconds,
            events=self.events,
            saved=self.spent.save,
        )

    def several(self, argument: str) -> dict[str, Path]:
        """The folders of an argument that takes several artifacts, by their names, in their order."""
        prefix = f"{argument}."
        return {
            name.removeprefix(prefix): folder
            for name, folder in self.inputs.items()
            if name.startswith(prefix)
        }

    def fresh_folder(self, name: str) -> Path:
        """An empty folder in the work folder, from which files are published by renaming."""
        folder = self.work.path / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


def history_bytes(history: list[Record]) -> bytes:
    """The content of `history.json`."""
    return json_bytes({"format": 1, "records": history})


Run = Callable[[Stage[S]], Mapping[str, Content]]
"""A stage: from its settings and inputs to the files it publishes."""

Files = Callable[[S], Mapping[str, Path]]
"""The user's own files that the settings name, by the names they get among the manifest's inputs."""


def stage_main(
    run: Run[S],
    settings: type[S],
    *,
    inputs: Sequence[str] = (),
    optional_inputs: Sequence[str] = (),
    several_inputs: Sequence[str] = (),
    files: Files[S] | None = None,
    options: Mapping[str, Sequence[str]] | None = None,
    argv: Sequence[str] | None = None,
) -> None:
    """Run a stage from the command line and exit: 0 when published, 75 to be continued, 1 on an error.

    Args:
        run: the stage.
        settings: the model of the sections it uses; others are refused.
        inputs: names of the artifacts it reads, each an argument that takes any file of one.
        optional_inputs: names of artifacts that need not be given.
        several_inputs: arguments that take any number of artifacts, each as NAME=FILE.
        files: which of the user's files the settings name: their content is part of the version.
        options: further arguments with the values they allow.
        argv: the command line; by default this process's.
    """
    if not gc.isenabled():  # see `pipeline.stages`
        gc.freeze()
        gc.enable()
    module = sys.modules[run.__module__]
    spec = getattr(module, "__spec__", None)
    name = (spec.name if spec else run.__module__).rpartition(".")[2]
    arguments = _parser(
        name, module.__doc__, settings, inputs, optional_inputs, several_inputs, options or {}
    ).parse_args(argv)
    logging.basicConfig(
        format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.INFO, force=True
    )
    try:
        given = _given(arguments, [*inputs, *optional_inputs], several_inputs)
        _run(name, run, settings, given, files, options or {}, arguments)
        distributed.leave()
    except Interrupted as stop:
        log.warning("%s", stop)
        if distributed.rank() == 0 and (outcome := os.environ.get(OUTCOME)):
            write_bytes(Path(outcome), str(INTERRUPTED).encode())
        # torchrun ends all processes when one has ended: none may before the first has saved
        distributed.from_first(lambda: None)
        sys.exit(INTERRUPTED)
    except DetSearchError as error:
        log.error("%s: %s", name, error)
        sys.exit(1)


def _parser(
    name: str,
    doc: str | None,
    settings: type[Section],
    inputs: Sequence[str],
    optional_inputs: Sequence[str],
    several_inputs: Sequence[str],
    options: Mapping[str, Sequence[str]],
) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m pipeline.stages.{name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sections = ", ".join(settings.model_fields) or "none"
    parser.add_argument(
        "--settings", required=True, help=f"config sections as JSON, exactly: {sections}"
    )
    for argument in (*inputs, *optional_inputs):
        parser.add_argument(
            f"--{argument}",
            type=Path,
            required=argument in inputs,
            help="any file of the artifact that is read",
        )
    for argument in several_inputs:
        parser.add_argument(
            f"--{argument}",
            nargs="+",
            required=True,
            metavar="NAME=FILE",
            help="artifacts that are read: a name, and any file of it",
        )
    for argument, values in options.items():
        parser.add_argument(f"--{argument}", choices=values, required=True)
    parser.add_argument(
        "--manifest",
        type=Path,
        required=True,
        help="manifest.json to publish, with the stage's files beside it",
    )
    parser.add_argument(
        "--run-folder",
        type=Path,
        default=os.environ.get("DETSEARCH_RUN", "."),
        help="results/<run>, to which the manifest's paths are relative",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--code", default="untracked", help="fingerprint of the stage's code")
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default=os.environ.get("DETSEARCH_DEVICE", "auto"),
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=float(os.environ.get("DETSEARCH_CHECKPOINT_SECONDS", "60")),
    )
    return parser


def _given(
    arguments: argparse.Namespace, inputs: Sequence[str], several: Sequence[str]
) -> dict[str, Path]:
    """The folders of the artifacts on the command line, by the names of `Stage.inputs`."""
    values = vars(arguments)
    files = {argument: values[argument.replace("-", "_")] for argument in inputs}
    for argument in several:
        for pair in values[argument.replace("-", "_")]:
            name, sign, path = pair.partition("=")
            if not (name and sign and path):
                raise DetSearchError(f"--{argument} takes NAME=FILE, not {pair!r}")
            if f"{argument}.{name}" in files:
                raise DetSearchError(f"--{argument} names {name!r} twice")
            files[f"{argument}.{name}"] = Path(path)
    return {argument: path.parent for argument, path in files.items() if path}


def _run(
    name: str,
    run: Run[S],
    settings: type[S],
    folders: Mapping[str, Path],
    files: Files[S] | None,
    options: Mapping[str, Sequence[str]],
    arguments: argparse.Namespace,
) -> None:
    _check_numbers(arguments)
    sections = _sections(settings, arguments.settings)
    device = choose_device(arguments.device)
    distributed.join(device)
    if distributed.rank() > 0:
        logging.disable(logging.WARNING)
    processes = distributed.size()
    reference = int(os.environ.get(REFERENCE, processes))
    sections, scaling = scaled(sections, processes, reference)
    for line in scaling:
        log.info("%s: %s", name, line)
    cpus = max(1, arguments.threads // processes)
    os.environ[CPUS] = str(cpus)
    torch.set_num_threads(cpus)
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
    seed_everything(arguments.seed, name)

    if arguments.manifest.name != MANIFEST:
        raise DetSearchError(f"--manifest must be named {MANIFEST}, not {arguments.manifest.name}")
    for folder in folders.values():
        open_artifact(folder / MANIFEST)
    chosen = {option: getattr(arguments, option) for option in options}
    read = {argument: folder / MANIFEST for argument, folder in folders.items()}
    if files:
        read |= files(sections)
    origin = Origin(
        stage=name,
        config={**sections.model_dump(mode="json"), **chosen},
        code=None if arguments.code == "untracked" else arguments.code,
        inputs={key: input_record(path, arguments.run_folder) for key, path in read.items()},
        seed=arguments.seed,
    )
    out = arguments.manifest.parent
    first = distributed.rank() == 0
    with locked(out) if first else nullcontext() as waited:
        if distributed.from_first(lambda: bool(waited) and _is_published(out, origin)):
            log.info("%s: another process has published it in %s meanwhile", name, out)
            return
        if first:
            WorkFolder(out / "work", origin.version).load_latest()
        distributed.from_first(lambda: None)
        work = WorkFolder(out / "work", origin.version)
        spent = Spent.of(work.path, 0 if device.type == "cpu" else processes)
        contents = run(
            Stage(
                name=name,
                settings=sections,
                inputs=folders,
                options=chosen,
                folder=out,
                work=work,
                seed=arguments.seed,
                device=device,
                checkpoint_seconds=arguments.checkpoint_seconds,
                events=_events(out, arguments.run_folder),
                spent=spent,
            )
        )
        if not first:
            return
        seconds, gpu_hours = spent.until_now()
        publish(
            out,
            contents,
            origin,
            device="cpu" if device.type == "cpu" else torch.cuda.get_device_name(device),
            wall_seconds=seconds,
            gpu_hours=gpu_hours,
        )
        work.clear()
        log.info("%s: published in %s after %.1f s", name, out, seconds)


def _events(out: Path, run_folder: Path) -> Path:
    """Where TensorBoard finds the curves of the artifact in `out`: each has its own."""
    inside = out.absolute().is_relative_to(run_folder.absolute())
    name = out.absolute().relative_to(run_folder.absolute()) if inside else Path(out.name)
    return run_folder / "logs" / "tensorboard" / name


def _check_numbers(arguments: argparse.Namespace) -> None:
    """Refuse values that argparse takes and no stage can use, before torch meets them."""
    if arguments.threads < 1:
        raise DetSearchError(f"--threads must be at least 1, not {arguments.threads}")
    if arguments.code != "untracked" and not DIGEST.fullmatch(arguments.code):
        raise DetSearchError(
            f"--code must be `untracked` or a digest, sha256:<64 hexadecimal digits>, not {arguments.code}"
        )
    if not arguments.checkpoint_seconds >= 0:
        raise DetSearchError(
            f"--checkpoint-seconds must not be negative, and is {arguments.checkpoint_seconds}"
        )


def _is_published(folder: Path, origin: Origin) -> bool:
    """Whether the folder holds, whole, just what this process was started to make."""
    path = folder / MANIFEST
    return path.exists() and open_artifact(path).version == origin.version


def _sections(settings: type[S], text: str) -> S:
    try:
        return settings.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise DetSearchError(f"--settings is not JSON: {error}") from None
    except ValidationError as error:
        lines = "; ".join(describe(problem) for problem in error.errors())
        raise DetSearchError(f"--settings: {lines}") from None
