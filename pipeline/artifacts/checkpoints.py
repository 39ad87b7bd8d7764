"""A stage's private folder: checkpoints that survive a crash, and whatever else it needs.

What belongs to one version of the stage (its config, code, inputs and seed) lies in a subfolder of
its own, `work/v_<version>/`. A checkpoint file carries its number, step and digest in its name, so
that the one rename that publishes it commits all of them.
"""

import hashlib
import io
import logging
import re
import shutil
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from pipeline.artifacts.digest import PREFIX
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import explained, read_bytes, write_bytes

KEPT = 2
VERSION_FOLDER = re.compile(r"v_[0-9a-f]{16}")
CHECKPOINT = re.compile(r"(?P<number>\d{6,})_step(?P<step>\d+)_(?P<digest>[0-9a-f]{64})\.pt")
SCALARS = (type(None), bool, int, float, str, bytes)

logger = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """A committed checkpoint: the step it was saved at and the state, tensors on the CPU."""

    step: int
    state: Any


class WorkFolder:
    """The work folder of one version of a stage.

    Attributes:
        path: the version's own folder, for any private files; it exists.
    """

    def __init__(self, path: Path, version: str) -> None:
        """Open the work folder `path`, such as `hit_detector/search/work`, for a version.

        What other versions left is not resumed. It is removed when this one saves its first
        checkpoint or is cleared, so that a mistaken start loses nothing.

        Args:
            path: the work folder; made if missing.
            version: the stage's version, `Origin.version`.

        Raises:
            PublishError: the folder cannot be made.
        """
        self._root = path
        self.path = path / f"v_{version.removeprefix(PREFIX)[:16]}"
        self._checkpoints = self.path / "checkpoints"
        with explained(path):
            self._checkpoints.mkdir(parents=True, exist_ok=True)
            for leftover in self._checkpoints.glob(".*.tmp"):
                leftover.unlink()
        for other in self._other_versions():
            logger.warning(
                "%s was made with another config, code, inputs or seed: not resumed", other
            )

    def save(self, state: Any, step: int) -> Path:
        """Commit a checkpoint and keep the one before it.

        Args:
            state: nested dicts, lists and tuples of tensors, numbers, strings, bytes and None.
            step: how far the stage is, in whatever it counts; not negative.

        Returns:
            The checkpoint's file.

        Raises:
            ArtifactError: the state holds something that could not be read back.
            PublishError: the system refuses to write, say because the disk is full; the
                checkpoints are as before.
        """
        fault = _fault(state)
        if fault is not None:
            raise ArtifactError(
                f"the checkpoint of step {step} cannot be saved: state{fault}; allowed are tensors,"
                " numbers, strings, bytes and None in dicts, lists and tuples"
            )
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getbuffer()
        existing = self._files()
        number = 1 + max((int(match["number"]) for match in existing.values()), default=0)
        digest = hashlib.sha256(content).hexdigest()
        path = self._checkpoints / f"{number:06d}_step{step}_{digest}.pt"
        write_bytes(path, content)
        with explained(path):
            for former in [*existing][: 1 - KEPT]:
                former.unlink()
            self._discard_others()
        return path

    def load_latest(self) -> Checkpoint | None:
        """Load the newest checkpoint whose bytes are as they were saved; None if there is none.

        A damaged one is removed and the one before it is used; a warning says so.

        Raises:
            ArtifactError: a checkpoint is unreadable, or intact but not loadable without running
                code that it names.
        """
        for path, match in reversed(self._files().items()):
            content = read_bytes(path)
            found = hashlib.sha256(content).hexdigest()
            if found == match["digest"]:
                return Checkpoint(int(match["step"]), _unpack(path, content))
            logger.warning(
                "%s is damaged (its digest is %s): removed, going on from an older one or anew",
                path,
                found,
            )
            with explained(path):
                path.unlink(missing_ok=True)
        return None

    def clear(self) -> None:
        """Remove the folder, once what the stage made is published."""
        with explained(self._root):
            shutil.rmtree(self.path, ignore_errors=True)
            self._discard_others()
            if self._root.is_dir() and not any(self._root.iterdir()):
                self._root.rmdir()

    def _files(self) -> dict[Path, re.Match[str]]:
        """The checkpoint files and their parsed names, oldest first."""
        # a folder that was deleted meanwhile is made again with the next checkpoint
        paths = [*self._checkpoints.iterdir()] if self._checkpoints.is_dir() else []
        named = [(path, match) for path in paths if (match := CHECKPOINT.fullmatch(path.name))]
        return dict(sorted(named, key=lambda item: int(item[1]["number"])))

    def _other_versions(self) -> list[Path]:
        return [
            path
            for path in sorted(self._root.iterdir())
            if VERSION_FOLDER.fullmatch(path.name) and path != self.path
        ]

    def _discard_others(self) -> None:
        for other in self._other_versions():
            logger.warning("%s, the work of another version, is discarded", other)
            shutil.rmtree(other)


def _unpack(path: Path, content: bytes) -> Any:
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        # Whatever torch raises on a foreign file: RuntimeError, UnpicklingError, EOFError, ...
        raise ArtifactError(f"{path} is not a checkpoint of this project: {error}") from error


def _fault(state: Any) -> str | None:
    """Where and why a state could not be read back with `weights_only`; None when it can."""
    if isinstance(state, torch.Tensor) or type(state) in SCALARS:
        return None
    if type(state) in (dict, OrderedDict):
        for key, value in state.items():
            if type(key) not in SCALARS:
                return f" has a key of type {type(key).__name__}"
            if (fault := _fault(value)) is not None:
                return f"[{key!r}]{fault}"
        return None
    if type(state) in (list, tuple):
        for position, value in enumerate(state):
            if (fault := _fault(value)) is not None:
                return f"[{position}]{fault}"
        return None
    return f" is of type {type(state).__module__}.{type(state).__qualname__}"
