"""What every stage that trains shares: a task run through the training loop in the stage's work folder."""

from __future__ import annotations

from typing import Any

from pipeline.artifacts.files import json_bytes
from pipeline.runner.stage import Stage
from pipeline.training.loop import Record, Task, run_loop


def run_training(stage: Stage[Any], task: Task, title: str, log_interval: int) -> list[Record]:
    """Train; goes on from the work folder's last checkpoint.

    Args:
        stage: whose work folder holds the checkpoints.
        task: what is trained.
        title: of the training, in the log.
        log_interval: steps between two records.

    Returns:
        The training's history.

    Raises:
        Interrupted: it was stopped, with a committed checkpoint.
        DivergedError: the loss is not a number any more.
    """
    return run_loop(
        task,
        stage.work,
        seed=stage.seed,
        title=title,
        log_interval=log_interval,
        checkpoint_seconds=stage.checkpoint_seconds,
        events=stage.events,
        saved=stage.spent.save,
    )


def history_bytes(history: list[Record]) -> bytes:
    """The content of `history.json`."""
    return json_bytes({"format": 1, "records": history})
