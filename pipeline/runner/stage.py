"""What every stage script shares: input checks, the work folder, publishing."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch

from pipeline.artifacts.check import require_belonging
from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.artifacts.lock import locked
from pipeline.artifacts.manifest import (
    MANIFEST,
    WORK,
    Manifest,
    Origin,
    ReadAs,
    input_record,
    open_artifact,
    verify,
)
from pipeline.artifacts.publish import Content, newest_time, publish, take_back
from pipeline.artifacts.spent import Spent
from pipeline.config.arguments import text_of
from pipeline.config.base import Section
from pipeline.config.scaling import scaled
from pipeline.console import EscapingFormatter
from pipeline.environment import BATCH_GPUS, INTERRUPTED, REFERENCE_GPUS
from pipeline.errors import DetSearchError
from pipeline.runner.command import (
    Inputs,
    check,
    given_folders,
    parse,
    parse_settings,
    recorded,
)
from pipeline.training import distributed
from pipeline.training.device import choose_device
from pipeline.training.process import prepare_process
from pipeline.training.stopping import Interrupted

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
        folder: where it publishes.
        work: its private folder.
        seed: of the run.
        device: where it computes.
        checkpoint_seconds: between two checkpoints.
        run_folder: the run's.
        events: folder for TensorBoard, which outlives the work folder.
        spent: time, over all jobs of the stage.
    """

    name: str
    settings: S
    inputs: Mapping[str, Path]
    folder: Path
    work: WorkFolder
    seed: int
    device: torch.device
    checkpoint_seconds: float
    run_folder: Path
    events: Path
    spent: Spent

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
    read_as: Callable[[S], ReadAs] = lambda settings: "bytes",
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
        read_as: what of these files the version tells.
        argv: the command line; by default this process's.
    """
    if not gc.isenabled():  # see `pipeline.stages`
        gc.freeze()
        gc.enable()
    module = sys.modules[run.__module__]
    spec = getattr(module, "__spec__", None)
    name = (spec.name if spec else run.__module__).rpartition(".")[2]
    read = Inputs(inputs, optional_inputs, several_inputs)
    arguments = parse(name, module.__doc__, settings, read, argv)
    handler = logging.StreamHandler()
    handler.setFormatter(EscapingFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    try:
        _run(name, run, settings, given_folders(arguments, read), files, read_as, arguments)
        distributed.leave()
    except Interrupted as stop:
        log.warning("%s", stop)
        # who leaves breaks the others' connections: none may before the first has saved
        distributed.from_first(lambda: None)
        # NCCL may wait for ever at the end of a process that has not left
        distributed.leave()
        sys.exit(INTERRUPTED)
    except DetSearchError as error:
        log.error("%s: %s", name, error)
        sys.exit(1)
    except OSError as error:
        if error.errno is None:
            raise
        # what the system refuses, say where the disk is full, while the stage writes files of its own
        place = error.filename or f"working for {arguments.manifest.parent}"
        log.error("%s: %s: %s", name, place, error.strerror)
        sys.exit(1)


def _run(
    name: str,
    run: Run[S],
    settings: type[S],
    folders: Mapping[str, Path],
    files: Files[S] | None,
    read_as: Callable[[S], ReadAs],
    arguments: argparse.Namespace,
) -> None:
    check(arguments)
    # what was given in a file is kept with the artifact as its text: the file may go
    given = text_of(arguments.settings)
    sections, computing = parse_settings(settings, given)
    device = choose_device(arguments.device)
    distributed.join(device)
    if distributed.rank() > 0:
        logging.disable(logging.WARNING)
    processes = distributed.size()
    reference = int(os.environ.get(REFERENCE_GPUS, processes))
    counted = int(os.environ.get(BATCH_GPUS, 0)) or processes
    sections, scaling = scaled(sections, counted, reference)
    for line in scaling:
        log.info("%s: %s", name, line)
    prepare_process(device, arguments.threads, computing, arguments.seed, name)

    read = {argument: folder / MANIFEST for argument, folder in folders.items()}
    artifacts = {path: open_artifact(path) for path in read.values()}
    require_belonging(artifacts)
    own = files(sections) if files else {}
    not_before = newest_time(artifacts, [*own.values(), *read.values()])
    run_folder = arguments.run_folder
    origin = Origin(
        stage=name,
        config=sections.model_dump(mode="json") | recorded(computing),
        code=None if arguments.code == "untracked" else arguments.code,
        inputs={key: input_record(path, run_folder) for key, path in read.items()}
        | {key: input_record(path, run_folder, read_as(sections)) for key, path in own.items()},
        seed=arguments.seed,
    )
    out = arguments.manifest.parent
    first = distributed.rank() == 0
    with locked(out) if first else nullcontext() as waited:
        if distributed.from_first(lambda: bool(waited) and _is_published(out, origin)):
            log.info("%s: another process has published it in %s meanwhile", name, out)
            return
        if distributed.from_first(lambda: _is_taken_back(out, origin, not_before, given)):
            log.info("%s: made before, and taken back into %s", name, out)
            return
        if first:
            WorkFolder(out / WORK, origin.version).load_latest()
        distributed.from_first(lambda: None)
        work = WorkFolder(out / WORK, origin.version)
        spent = Spent.of(work.path, 0 if device.type == "cpu" else processes)
        contents = run(
            Stage(
                name=name,
                settings=sections,
                inputs=folders,
                folder=out,
                work=work,
                seed=arguments.seed,
                device=device,
                checkpoint_seconds=arguments.checkpoint_seconds,
                run_folder=run_folder,
                events=_events(out, run_folder),
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
            peak_memory=spent.peak_memory(),
            not_before=not_before,
            settings=given,
        )
        work.clear()
        log.info("%s: published in %s after %.1f s", name, out, seconds)


def _events(out: Path, run_folder: Path) -> Path:
    """Where TensorBoard finds the curves of the artifact in `out`: each has its own."""
    inside = out.absolute().is_relative_to(run_folder.absolute())
    name = out.absolute().relative_to(run_folder.absolute()) if inside else Path(out.name)
    return run_folder / "logs" / "tensorboard" / name


def _is_published(folder: Path, origin: Origin) -> bool:
    """Whether the folder holds, whole, just what this process was started to make."""
    # a driver may have deleted, between two files of it, what the other process was putting in place
    return not verify(folder) and Manifest.load(folder / MANIFEST).version == origin.version


def _is_taken_back(folder: Path, origin: Origin, not_before: float, settings: str) -> bool:
    """Whether a process that had finished just this left it for the next: what it had made is in place."""
    if take_back(folder, origin, not_before=not_before, settings=settings) is None:
        return False
    WorkFolder(folder / WORK, origin.version).clear()
    return True
