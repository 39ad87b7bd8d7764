"""A stage of the plan, and what a training takes on each of its devices."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.config.optimization import Training
from pipeline.config.root import Config
from pipeline.plan.cost import FLOAT, TrainingCost, Work

METHODS = ("hit_detector", "joint_detnas", "front")
KEPT_CHECKPOINTS = 2
CLASSES = 80
"""Of the detectors: outputs of a last layer hardly count, so the dataset is not looked at."""


@dataclass(frozen=True)
class Reckoning:
    """What a plan takes into account; all of it, but where a lever's share is asked for.

    Attributes:
        thinned: screening removes candidates on its way.
        alpha_alone: a step of α computes no gradients of weights.
    """

    thinned: bool = True
    alpha_alone: bool = True


WHOLE = Reckoning()


@dataclass(frozen=True)
class Planned:
    """A stage of the run.

    Attributes:
        name: of its rule, with its wildcards.
        method: one of `METHODS`.
        compute: of one job.
        gpus: of its job.
        memory: bytes on each of them: weights, gradients, the optimiser's state, activations.
        published: bytes of the weights that it publishes.
        work: bytes of its checkpoints while it trains.
        after: names of the stages whose results it takes.
        images: that each device takes at once.
        waves: how often it runs, one time after the other.
        jobs: of each wave, side by side.
    """

    name: str
    method: str
    compute: Work
    gpus: int
    memory: float
    published: float
    work: float
    after: tuple[str, ...]
    waves: int = 1
    jobs: int = 1
    images: int = 1


def trained_stage(
    name: str,
    method: str,
    config: Config,
    training: Training,
    cost: TrainingCost,
    compute: Work,
    after: tuple[str, ...],
    *,
    publishes: bool,
    tested: TrainingCost | None = None,
    waves: int = 1,
    jobs: int = 1,
    gpus: int | None = None,
) -> Planned:
    """A training on some GPUs, `run.gpus` by default, which share the batch that is for all of these.

    With `tested`, the network in its validations, their memory counts, too.
    """
    run = config.run
    gpus = gpus or run.gpus
    share = math.ceil(training.batch_size * run.gpus / (run.reference_gpus or run.gpus) / gpus)
    batch = min(share, run.micro_batch or share)
    memory = training_memory(cost, batch, training.optimizer.type, run.precision)
    if tested:
        # weights, gradients and the optimiser's state stay
        idle = training_memory(cost, 0, training.optimizer.type, run.precision)
        together = run.validation_batch_size or share
        memory = max(memory, idle + testing_memory(tested, together, run.precision, weights=False))
    return Planned(
        name=name,
        method=method,
        compute=compute,
        gpus=gpus,
        memory=memory,
        published=FLOAT * cost.whole.params * publishes,
        work=KEPT_CHECKPOINTS * FLOAT * cost.whole.params * (1 + MOMENTS[training.optimizer.type]),
        after=after,
        waves=waves,
        jobs=jobs,
        images=batch,
    )


MOMENTS = {"sgd": 1, "adamw": 2}
"""Numbers that an optimiser remembers of each parameter."""


ACTIVATIONS = {"float32": 1.0, "bf16": 0.52}
"""What is left of the bytes of activations and their gradients: of a whole step of a supernet's backbone with
real tensors, 0.51 to 0.53 (tests/plan/test_plan.py)."""
CAST = {"float32": 0, "bf16": 2}
"""Bytes more for each parameter: its copy in the other precision."""


def training_memory(
    network: TrainingCost, batch: int, optimizer: str, precision: str = "float32"
) -> float:
    """Bytes of a training on one device: weights, the optimiser's state, activations, and gradients of both.

    Args:
        network: for one image.
        batch: images on the device in a step.
        optimizer: `sgd` or `adamw`.
        precision: of the activations.
    """
    kept = ACTIVATIONS[precision] * (network.whole.kept + network.in_flight)
    each = FLOAT * (2 + MOMENTS[optimizer]) + CAST[precision]
    return network.whole.params * each + batch * kept


def testing_memory(
    network: TrainingCost, batch: int, precision: str, *, weights: bool = True
) -> float:
    """Bytes of a forward pass on one device that keeps nothing for a backward pass.

    Args:
        network: for one image.
        batch: images at once.
        precision: of the activations.
        weights: whether those are counted.
    """
    each = (FLOAT + CAST[precision]) * weights
    return network.whole.params * each + batch * ACTIVATIONS[precision] * network.looking
