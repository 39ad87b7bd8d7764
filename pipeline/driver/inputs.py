"""What of a job's inputs a stage is given, and what is only watched.

A named input that is a `manifest.json` becomes the argument of that name, `--data …` (`group.name=…`, one of
several: `--group name=…`). Other inputs, weights say, are only watched: where they are missing they are made
again.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.artifacts.manifest import MANIFEST

Given = Mapping[str, str | Sequence[str]]
"""Inputs by their names: one path, or several of the same name."""


def manifests(named: Given) -> list[tuple[str, str]]:
    """The artifacts among named inputs: each one's name and manifest."""
    return [
        (name, str(path))
        for name, given in named.items()
        for path in ([given] if isinstance(given, str) else given)
        if Path(path).name == MANIFEST
    ]


def grouped(group: str, artifacts: Mapping[str, str]) -> dict[str, str]:
    """Several artifacts of one argument, as named inputs."""
    return {f"{group}.{name}": path for name, path in artifacts.items()}


def arguments(wildcards: object, input: Given) -> str:
    """The command-line arguments that name the artifacts among a job's inputs: a `params` function."""
    words: dict[str, list[str]] = {}
    for name, path in manifests(input):
        option, group, member = name.partition(".")
        words.setdefault(option, []).append(f"{member}={path}" if group else path)
    return " ".join(
        f"--{option.replace('_', '-')} {shlex.join(paths)}" for option, paths in words.items()
    )


def states(paths: Iterable[str]) -> list[str]:
    """What of files that cannot be inputs tells of a change: their sizes and times."""
    return [
        f"{path} {file.stat().st_size} {file.stat().st_mtime_ns}"
        for path, file in ((path, Path(path)) for path in paths)
        if file.exists()
    ]
