"""The subnets of an elastic teacher pool: counted, listed, drawn, mutated, and written as architectures.

A subnet is ten choices: blocks and width of each of four stages, width of the neck, resolution
(Joint-DetNAS, section 3.1.3). The paper's ranges make (2·3·22·2)·3⁵·12 = 769,824 of them, its
"roughly 765000". Imports no torch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import PositiveFloat, PositiveInt

from pipeline.artifacts.typed import read_as
from pipeline.config.supernet import Depths
from pipeline.config.teacher_pool import PoolSpace, Resolution, ShrinkingPhase
from pipeline.search_space.architecture import (
    STAGES,
    Architecture,
    ConvFcHead,
    FpnNeck,
    ResidualBlock,
    ResNetBackbone,
    Rpn,
)
from pipeline.search_space.block import Part
from pipeline.search_space.standard import EXPANSION

POOL = "pool.json"
"""The file of a published pool that describes its space."""

DEPTHS = tuple(f"depth{stage}" for stage in range(1, STAGES + 1))
WIDTHS = tuple(f"width{stage}" for stage in range(1, STAGES + 1))
KNOBS = (*DEPTHS, *WIDTHS, "neck_width", "resolution")
"""Names of the ten choices, in the order in which subnets are listed."""


class Subnet(Part):
    """One network of the pool, as plain JSON.

    Attributes:
        depths: blocks of each stage, the first ones of the largest net's.
        widths: factor of the channels of each stage; the stem has that of the first stage, so that a
            subnet of one width everywhere is a standard ResNet of that width.
        neck_width: factor of the pyramid's channels.
        resolution: longest and shortest side that images are resized to, pixels.
    """

    depths: Depths
    widths: tuple[PositiveFloat, PositiveFloat, PositiveFloat, PositiveFloat]
    neck_width: PositiveFloat
    resolution: Resolution

    @property
    def knobs(self) -> dict[str, Any]:
        """The ten choices by name."""
        values = (*self.depths, *self.widths, self.neck_width, self.resolution)
        return dict(zip(KNOBS, values, strict=True))

    @classmethod
    def of(cls, knobs: Mapping[str, Any]) -> Subnet:
        """The subnet of ten choices."""
        return cls.model_validate(
            {
                "depths": tuple(knobs[name] for name in DEPTHS),
                "widths": tuple(knobs[name] for name in WIDTHS),
                "neck_width": knobs["neck_width"],
                "resolution": knobs["resolution"],
            }
        )


@dataclass(frozen=True)
class SubnetSpace:
    """All combinations of some choices.

    Attributes:
        shape: the section that says what widths are factors of, and what is not elastic.
        classes: object classes of the detectors.
        choices: what each of the ten knobs can be, in rising order.
    """

    shape: PoolSpace
    classes: int
    choices: Mapping[str, tuple[Any, ...]]

    @classmethod
    def whole(cls, shape: PoolSpace, classes: int) -> SubnetSpace:
        """All subnets of a pool."""
        return cls._of(shape, classes, shape.least_depths, shape.widths)

    @classmethod
    def of_phase(cls, shape: PoolSpace, classes: int, phase: ShrinkingPhase) -> SubnetSpace:
        """The subnets that a phase of the shrinking draws; all have the architectures of one pool."""
        return cls._of(shape, classes, phase.least_depths, phase.widths)

    @classmethod
    def _of(
        cls, shape: PoolSpace, classes: int, least: Depths, widths: tuple[float, ...]
    ) -> SubnetSpace:
        choices: dict[str, tuple[Any, ...]] = {
            name: tuple(range(fewest, most + 1))
            for name, fewest, most in zip(DEPTHS, least, shape.greatest_depths, strict=True)
        }
        choices |= dict.fromkeys((*WIDTHS, "neck_width"), widths)
        resolutions = sorted(shape.resolutions, key=lambda sides: (math.prod(sides), sides))
        return cls(shape, classes, {**choices, "resolution": tuple(resolutions)})

    def size(self) -> int:
        """Number of subnets."""
        return math.prod(len(values) for values in self.choices.values())

    def __iter__(self) -> Iterator[Subnet]:
        """Every subnet once, made when asked for; the smallest first, the largest last."""
        for values in itertools.product(*(self.choices[name] for name in KNOBS)):
            yield Subnet.of(dict(zip(KNOBS, values, strict=True)))

    def __contains__(self, subnet: object) -> bool:
        return isinstance(subnet, Subnet) and not self._outside(subnet)

    def _outside(self, subnet: Subnet) -> dict[str, Any]:
        knobs = subnet.knobs
        return {name: knobs[name] for name in KNOBS if knobs[name] not in self.choices[name]}

    def check(self, subnet: Subnet) -> None:
        """Raise `ValueError`, naming what is allowed, unless the subnet belongs to the space."""
        problems = [
            f"{name} is {value}, allowed: {', '.join(map(str, self.choices[name]))}"
            for name, value in self._outside(subnet).items()
        ]
        if problems:
            raise ValueError(f"the subnet is not of this pool: {'; '.join(problems)}")

    @property
    def largest(self) -> Subnet:
        """The last choice of every knob."""
        return Subnet.of({name: self.choices[name][-1] for name in KNOBS})

    @property
    def smallest(self) -> Subnet:
        """The first choice of every knob."""
        return Subnet.of({name: self.choices[name][0] for name in KNOBS})

    def sample(self, rng: np.random.Generator) -> Subnet:
        """A subnet, all with equal probability."""
        return Subnet.of({name: _draw(rng, self.choices[name]) for name in KNOBS})

    def mutate(
        self,
        subnet: Subnet,
        rng: np.random.Generator,
        *,
        probability: float | None = None,
        knobs: Collection[str] = KNOBS,
    ) -> Subnet:
        """A different subnet near another: changed knobs take one of their other values, all equally likely.

        Args:
            subnet: where to start; of this space.
            rng: its state is all that the draw depends on.
            probability: `None` changes exactly one knob, all equally likely; a number changes each
                knob with that probability, drawn anew until at least one changes.
            knobs: those that may change. The hill climbing's are `DEPTHS + WIDTHS`: "mutated by
                modifying the depth or width in each backbone stage" (section 3.1.4).

        Raises:
            ValueError: the subnet is not of this space, no knob can change, or the probability is
                not in (0, 1].
        """
        self.check(subnet)
        free = [name for name in KNOBS if name in knobs and len(self.choices[name]) > 1]
        if not free:
            raise ValueError(f"nothing to mutate: the space has one choice of {', '.join(knobs)}")
        if probability is None:
            changed = [_draw(rng, free)]
        elif not 0 < probability <= 1:
            raise ValueError(f"a mutation's probability must be in (0, 1], not {probability}")
        else:
            changed = []
            while not changed:
                changed = [name for name in free if rng.random() < probability]
        values = subnet.knobs
        for name in changed:
            others = [choice for choice in self.choices[name] if choice != values[name]]
            values[name] = _draw(rng, others)
        return Subnet.of(values)

    def architecture(self, subnet: Subnet) -> Architecture:
        """The subnet as an architecture; its provenance holds the subnet.

        Costs are stated at an image that fills the resolution, wider than high.

        Raises:
            ValueError: the subnet is not of this space.
        """
        self.check(subnet)
        shape = self.shape
        longest, shortest = subnet.resolution
        return Architecture(
            family="faster_rcnn",
            classes=self.classes,
            input_size=(shortest, longest),
            backbone=ResNetBackbone(
                stem_channels=round(shape.base_channels * subnet.widths[0]),
                stages=tuple(
                    self._stage(stage, blocks, width)
                    for stage, (blocks, width) in enumerate(
                        zip(subnet.depths, subnet.widths, strict=True)
                    )
                ),
            ),
            neck=FpnNeck(channels=round(shape.neck_channels * subnet.neck_width)),
            rpn=Rpn(channels=shape.rpn_channels, anchor_scale=shape.anchor_scale),
            head=ConvFcHead(roi_size=shape.roi_size, fcs=(shape.head_fc_channels,) * 2),
            provenance={"method": "teacher_pool", "subnet": subnet.model_dump(mode="json")},
        )

    def misfit(self, detector: Architecture) -> str | None:
        """What keeps a detector from lying inside the largest net; `None` where it does.

        What is not elastic must be the same: RPN and RoI head.
        """
        whole, backbone, neck = self.architecture(self.largest), detector.backbone, detector.neck
        if not isinstance(backbone, ResNetBackbone) or not isinstance(neck, FpnNeck):
            return "it is no ResNet with FPN"
        assert isinstance(whole.backbone, ResNetBackbone) and isinstance(whole.neck, FpnNeck)
        counts = [
            ("channels of the stem", backbone.stem_channels, whole.backbone.stem_channels),
            ("channels of the pyramid", neck.channels, whole.neck.channels),
        ]
        stages = zip(backbone.stages, whole.backbone.stages, strict=True)
        for number, (blocks, most) in enumerate(stages, 1):
            counts.append((f"blocks of stage {number}", len(blocks), len(most)))
            for block in blocks:
                if (block.operation, block.groups) != (most[0].operation, most[0].groups):
                    return (
                        f"its blocks are {block.operation} in {block.groups} groups, those of the pool "
                        f"{most[0].operation}"
                    )
                counts.append((f"channels of stage {number}", block.channels, most[0].channels))
                inner = f"inner channels of stage {number}"
                counts.append((inner, block.mid_channels, most[0].mid_channels))
        for what, wanted, there in counts:
            if wanted > there:
                return f"{what}: it has {wanted}, the largest net {there}"
        for part in ("rpn", "head"):
            own, elastic = getattr(detector, part), getattr(whole, part)
            if own != elastic:
                return (
                    f"its {part} must be {elastic.model_dump(mode='json')}, not "
                    f"{own.model_dump(mode='json')}"
                )
        if neck != whole.neck.model_copy(update={"channels": neck.channels}):
            return "its pyramid is of another kind"
        return None

    def _stage(self, stage: int, blocks: int, width: float) -> tuple[ResidualBlock, ...]:
        planes = round(self.shape.base_channels * 2**stage * width)
        first = ResidualBlock(
            operation=self.shape.block,
            channels=planes * EXPANSION[self.shape.block],
            mid_channels=planes,
            stride=2 if stage else 1,
        )
        return (first, *(first.model_copy(update={"stride": 1}) for _ in range(blocks - 1)))


class PoolRecord(Part):
    """`pool.json`: what a published pool consists of."""

    format: Literal[1] = 1
    classes: PositiveInt
    space: PoolSpace
    subnets: PositiveInt


def load_space(folder: Path) -> SubnetSpace:
    """The space of a published pool.

    Raises:
        ArtifactError: its description is missing, or not what is read here.
    """
    described = read_as(folder / POOL, PoolRecord)
    return SubnetSpace.whole(described.space, described.classes)


def outside_pool(reason: str) -> str:
    """The sentence for a base of which the pool cannot be grown, from its `misfit`."""
    return (
        f"teacher_pool.grown_from_base: the base does not lie inside the pool's largest net: {reason}; "
        "change teacher_pool.space, or train the pool from its initialisation with grown_from_base: false"
    )


def _draw(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    """One of the values; by position, since NumPy would turn a resolution into an array."""
    return values[int(rng.integers(len(values)))]
