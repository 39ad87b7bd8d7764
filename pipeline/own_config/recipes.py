"""The runs that a config for data of a user's own takes over: their networks, lengths and rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.own_config.lengths import Reference

SCHEDULE = "schedule: cosine, warmup_iterations: {warmup}, clip_norm: 10.0"
ADAMW = "type: adamw, lr: {lr}, weight_decay: 0.05, " + SCHEDULE
SGD = "type: sgd, lr: {lr}, weight_decay: 0.0001, " + SCHEDULE
"""Templates of optimisers."""


@dataclass(frozen=True)
class Recipe:
    """What does not hang on the data.

    Attributes:
        side: longest side of the largest resolution where no other is asked for, pixels.
        reference: lengths.
        base: keys of `base_detector`, beside its training.
        space: keys of `teacher_pool.space`, beside resolutions.
        depths: blocks of each stage of the largest net and of the smallest.
        widths: of the pool, rising.
        optimizer: of the phases: a template.
        rates: peak learning rates of the phases.
        warmups: iterations of the phases.
        samples: anchors and RoIs an image in the losses; twice as many where images are full.
        recalibration: training images that batch statistics are measured on.
        front: keys of `front`.
        judged: images of val on which subnets are compared, at most.
    """

    side: int
    reference: Reference
    depths: tuple[list[int], list[int]]
    widths: list[float]
    rates: tuple[float, float]
    warmups: tuple[int, int]
    samples: tuple[int, int]
    recalibration: int
    front: Mapping[str, Any]
    judged: int
    optimizer: str = ADAMW
    base: Mapping[str, Any] = field(default_factory=dict)
    space: Mapping[str, Any] = field(default_factory=dict)


# config/examples/front_bccd.yaml, whose networks are those of config/config.yaml
ON_CPU = Recipe(
    side=320,
    reference=Reference(images=205, batch=4, base=28, phases=(16, 9)),
    depths=([2, 2, 2, 2], [1, 1, 1, 1]),
    widths=[1.0, 1.25, 1.5],
    rates=(0.002, 0.001),
    warmups=(50, 20),
    samples=(64, 32),
    recalibration=64,
    front={"population": 16, "generations": 4},
    judged=200,
)

# twice the channels of the base of config/config.yaml, four times those of its head, on larger images
ON_GPU = Recipe(
    side=640,
    reference=Reference(images=3000, batch=8, base=24, phases=(24, 24)),
    base={"network": "fpn_r18", "width": 0.75, "head_width": 0.5},
    space={
        "base_channels": 32,
        "neck_channels": 128,
        "rpn_channels": 128,
        "head_fc_channels": 512,
    },
    depths=([2, 2, 2, 2], [1, 1, 1, 1]),
    widths=[1.0, 1.25, 1.5],
    rates=(0.002, 0.001),
    warmups=(50, 20),
    samples=(128, 64),
    recalibration=512,
    front={"population": 32, "generations": 10, "cpus": None},
    judged=1000,
)

# config/examples/one_gpu.yaml
FROM_WEIGHTS = Recipe(
    side=640,
    reference=Reference(images=3000, batch=8, base=48, phases=(24, 24)),
    base={"network": "fpn_r50_2fc", "width": 1.0, "head_width": 1.0},
    space={
        "block": "bottleneck",
        "base_channels": 64,
        "neck_channels": 256,
        "rpn_channels": 256,
        "roi_size": 7,
        "head_fc_channels": 1024,
        "least_depths": [2, 2, 2, 2],
        "greatest_depths": [3, 4, 6, 3],
        "widths": [0.5, 0.75, 1.0],
    },
    depths=([3, 4, 6, 3], [2, 2, 2, 2]),
    widths=[0.5, 0.75, 1.0],
    optimizer=SGD,
    rates=(0.01, 0.005),
    warmups=(500, 200),
    samples=(128, 64),
    recalibration=512,
    front={"population": 32, "generations": 10, "cpus": None},
    judged=1000,
)
