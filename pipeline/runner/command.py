"""A stage's command line: the artifacts it reads, its settings, and where it publishes."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from pydantic import ValidationError

from pipeline.artifacts.manifest import MANIFEST
from pipeline.checkout import REMEDY, other_code
from pipeline.config.arguments import text_of
from pipeline.config.base import Section
from pipeline.config.problems import describe
from pipeline.config.run import Computing
from pipeline.config.sections import COMPUTING
from pipeline.environment import CHECKPOINT_SECONDS, DEVICE, RUN
from pipeline.errors import DetSearchError

MOST_THREADS = 2**16
"""More than any machine has; torch takes numbers of 32 bits."""
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

log = logging.getLogger("detsearch")

S = TypeVar("S", bound=Section)


class Inputs(NamedTuple):
    """The artifacts that a stage reads, by the names of `Stage.inputs`.

    On the command line each is an argument (`base_longer` is `--base-longer`) that takes any file of
    the artifact.
    """

    required: Sequence[str] = ()
    optional: Sequence[str] = ()
    several: Sequence[str] = ()
    """Each takes any number of artifacts, NAME=FILE: they are named `<input>.<name>`. At least one, but of
    those that are optional, too."""

    @property
    def single(self) -> list[str]:
        """Those that take one artifact."""
        return [name for name in (*self.required, *self.optional) if name not in self.several]


def parse(
    name: str,
    doc: str | None,
    settings: type[Section],
    inputs: Inputs,
    argv: Sequence[str] | None,
) -> argparse.Namespace:
    """The arguments of stage `name`; exits with a message where they cannot be read."""
    parser = argparse.ArgumentParser(
        prog=f"python -m pipeline.stages.{name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sections = ", ".join(settings.model_fields) or "none"
    parser.add_argument(
        "--settings",
        required=True,
        help=f"config sections as JSON, or @FILE that holds it, exactly: {sections}",
    )
    for argument in inputs.single:
        parser.add_argument(
            option(argument),
            type=Path,
            required=argument in inputs.required,
            help="any file of the artifact that is read",
        )
    for argument in inputs.several:
        parser.add_argument(
            option(argument),
            nargs="+",
            action="extend",
            required=argument not in inputs.optional,
            default=[],
            metavar="NAME=FILE",
            help="artifacts that are read: a name, and any file of it",
        )
    parser.add_argument(
        "--manifest",
        type=Path,
        required=True,
        help="manifest.json to publish, with the stage's files beside it",
    )
    parser.add_argument(
        "--run-folder",
        type=Path,
        default=os.environ.get(RUN, "."),
        help="results/<run>, to which the manifest's paths are relative",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--code", default="untracked", help="fingerprint of the stage's code")
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default=os.environ.get(DEVICE, "auto"),
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=float(os.environ.get(CHECKPOINT_SECONDS, "60")),
    )
    return parser.parse_args(argv)


def option(argument: str) -> str:
    """How an input is written on the command line."""
    return "--" + argument.replace("_", "-")


def given_folders(arguments: argparse.Namespace, inputs: Inputs) -> dict[str, Path]:
    """The folders of the artifacts on the command line, by the names of `Stage.inputs`.

    Raises:
        DetSearchError: a name of several is missing or occurs twice.
    """
    values = vars(arguments)
    files = {name: values[name] for name in inputs.single}
    for argument in inputs.several:
        for pair in values[argument]:
            name, sign, path = pair.partition("=")
            if not (name and sign and path):
                raise DetSearchError(f"{option(argument)} takes NAME=FILE, not {pair!r}")
            if f"{argument}.{name}" in files:
                raise DetSearchError(f"{option(argument)} names {name!r} twice")
            files[f"{argument}.{name}"] = Path(path)
    return {name: path.parent for name, path in files.items() if path}


def check(arguments: argparse.Namespace) -> None:
    """Refuse values that argparse takes and no stage can use, before torch meets them.

    Code of another checkout than the one that the stage was started in is warned of.

    Raises:
        DetSearchError: such a value.
    """
    if other := other_code(Path.cwd(), os.environ):
        log.warning("%s: %s", other, REMEDY)
    if arguments.manifest.name != MANIFEST:
        raise DetSearchError(f"--manifest must be named {MANIFEST}, not {arguments.manifest.name}")
    if not 1 <= arguments.threads <= MOST_THREADS:
        raise DetSearchError(f"--threads must be 1 to {MOST_THREADS}, not {arguments.threads}")
    if arguments.run_folder.exists() and not arguments.run_folder.is_dir():
        raise DetSearchError(f"--run-folder {arguments.run_folder} is no folder")
    if arguments.code != "untracked" and not DIGEST.fullmatch(arguments.code):
        raise DetSearchError(
            f"--code must be `untracked` or a digest, sha256:<64 hexadecimal digits>, not {arguments.code}"
        )
    if not arguments.checkpoint_seconds >= 0:
        raise DetSearchError(
            f"--checkpoint-seconds must not be negative, and is {arguments.checkpoint_seconds}"
        )


def parse_settings(settings: type[S], text: str) -> tuple[S, Computing]:
    """The stage's settings, and how it computes, out of JSON, or out of the file that `@FILE` names.

    Raises:
        DetSearchError: it is no JSON, or does not fit; the file cannot be read.
    """
    try:
        content = json.loads(text_of(text))
        # what is no object is for the model to refuse
        computing = content.pop(COMPUTING, {}) if isinstance(content, dict) else {}
        return settings.model_validate(content), Computing.model_validate(computing)
    except ValidationError as error:
        lines = "; ".join(describe(problem) for problem in error.errors())
        raise DetSearchError(f"--settings: {lines}") from None
    except (ValueError, RecursionError) as error:
        raise DetSearchError(f"--settings is not JSON: {error}") from None


def recorded(computing: Computing) -> dict[str, Any]:
    """How a stage computes, as part of a manifest's config: nothing where it is the default."""
    chosen = computing.chosen()
    return {COMPUTING: chosen} if chosen else {}
