"""What decides no result: modules that are left out of the fingerprint of a stage's code.

A result is what a stage publishes besides measured times: weights, architectures, numbers, drawings. A
module may stand here if no edit of it can change a result, so long as the stage still runs to its end.
Whatever only such modules import is left out with them.

What is not here although it may seem so: `checkpoints` (a training goes on from what it reads there),
`files` and `weights` (they make the bytes that are published), `pipeline.report` (what it draws is the
result of some stages; no stage that trains may import it).
"""

from __future__ import annotations

from typing import NamedTuple


class Omission(NamedTuple):
    """Why a module is left out, and where it is not."""

    why: str
    but_for: tuple[str, ...] = ()
    """Modules that use it for a result: imported by them, it counts."""


DECIDES_NO_RESULT: dict[str, Omission] = {
    "pipeline.environment": Omission(
        "The names of environment variables; whoever sets one and whoever reads it use the same name."
    ),
    "pipeline.console": Omission("It prints what people read on a terminal or in a log."),
    "pipeline.launch": Omission(
        "It starts the processes of a stage on free devices; where a stage runs makes no result stale."
    ),
    "pipeline.artifacts.lock": Omission(
        "It keeps a second process from the same folder, and never changes what the first one makes."
    ),
    "pipeline.artifacts.manifest": Omission(
        "It records what made an artifact, and refuses altered inputs: a stage reads the same or nothing.",
        but_for=(
            "pipeline.artifacts.lineage",
            "pipeline.artifacts.removal",
            "pipeline.drawings.hit_detector",
            "pipeline.drawings.joint_detnas",
        ),
    ),
    "pipeline.artifacts.check": Omission(
        "It refuses inputs that do not belong together: a stage reads the same ones or nothing."
    ),
    "pipeline.artifacts.publish": Omission(
        "It brings the bytes that a stage made into their folder, and does not look into them."
    ),
    "pipeline.artifacts.kept": Omission(
        "It keeps the bytes that a stage published, and gives back the same ones or nothing."
    ),
    "pipeline.artifacts.history": Omission(
        "It adds a line about the version to `history.jsonl`, which belongs to no version."
    ),
    "pipeline.artifacts.spent": Omission(
        "It adds up the time of a stage's jobs, which stands in the manifest as a measured time."
    ),
    "pipeline.data.dataset_demands": Omission(
        "It asks of a dataset what the trainings ask, and refuses or warns."
    ),
    "pipeline.data.demands": Omission(
        "It compares what trainings ask of the data with what is there, and refuses or warns."
    ),
    "pipeline.runner.command": Omission(
        "It reads the command line; settings and seed, which decide the result, are tracked themselves."
    ),
    "pipeline.training.progress": Omission(
        "It shows the records of a training in the log, in TensorBoard and as a bar, and returns nothing."
    ),
    "pipeline.training.stopping": Omission(
        "It says when a training stops; run again, it goes on from its checkpoint to the same bits."
    ),
}
"""By the module's name. A module that mixes both kinds is split before one half of it comes here."""
