"""The elastic detector of a teacher pool, in the verbs of once-for-all (Cai et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.complexity import Complexity, detector_complexity
from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.coupling import coupled_channels
from pipeline.search_space.growing import grown_weights
from pipeline.search_space.slicing import Weights, slice_weights, sort_channels
from pipeline.teacher_pool.elastic import activate, make_elastic
from pipeline.teacher_pool.space import Subnet, SubnetSpace, outside_pool


@dataclass(frozen=True)
class StandaloneDetector:
    """A network of the pool on its own.

    Attributes:
        architecture: what the builder builds; its provenance holds the subnet.
        weights: state dict that loads strictly into it. Its batch statistics are a slice of the
            pool's: recalibrate the network before it is evaluated or teaches.
    """

    architecture: Architecture
    weights: dict[str, Tensor]


class ElasticDetector:
    """The largest detector of a space, which can run as any other of it (Joint-DetNAS, section 3.1.3).

    Depth keeps the first blocks of a stage, width the first channels of a group of coupled channels.

    Args:
        space: its subnets.
        around: box sampling and normalisation.

    Attributes:
        model: the mmdet detector, to train, run, move and load like any; its state dict is that of
            the largest net, whatever is active.
        architecture: the largest net's.
    """

    def __init__(self, space: SubnetSpace, around: Surroundings) -> None:
        self.space = space
        self.architecture = space.architecture(space.largest)
        self.model: Any = build_detector(self.architecture, around)
        make_elastic(self.model, self.architecture)
        self.active = space.largest

    def set_max_net(self) -> None:
        """Activate the largest net."""
        self.set_active_subnet(self.space.largest)

    def set_active_subnet(self, subnet: Subnet) -> None:
        """Let the model run as a subnet; no stored tensor changes.

        Raises:
            ValueError: the subnet is not of the space.
        """
        activate(self.model, self.architecture, self.space.architecture(subnet))
        self.active = subnet

    def sample_active_subnet(
        self, rng: np.random.Generator, space: SubnetSpace | None = None
    ) -> Subnet:
        """Draw a subnet and activate it.

        Args:
            rng: its state is all that the draw depends on.
            space: where to draw, such as the part of the space that a phase opens; all by default.
        """
        subnet = (space or self.space).sample(rng)
        self.set_active_subnet(subnet)
        return subnet

    def get_active_subnet(self) -> StandaloneDetector:
        """The active subnet on its own, with a copy of its weights."""
        architecture = self.space.architecture(self.active)
        weights = slice_weights(self.model.state_dict(), self.architecture, architecture)
        return StandaloneDetector(architecture, weights)

    def grow_from(self, architecture: Architecture, weights: Weights) -> None:
        """Take over a smaller detector: the largest net computes what that does, the rest is to be trained.

        Args:
            architecture: the smaller detector's.
            weights: its state dict.

        Raises:
            DetSearchError: the detector does not lie inside the largest net.
        """
        if reason := self.space.misfit(architecture):
            raise DetSearchError(outside_pool(reason))
        fresh = self.model.state_dict()
        try:
            grown = grown_weights(weights, architecture, fresh, self.architecture)
        except ValueError as error:  # such as a shortcut that only one of them has
            raise DetSearchError(outside_pool(str(error))) from None
        self.model.load_state_dict(grown)

    def sort_channels(self) -> None:
        """Put the channels of each group in falling order of importance, before widths shrink.

        The largest net stays the same function. What an optimiser remembers of single weights does
        not move along: begin with a fresh one.
        """
        groups = coupled_channels(self.architecture)
        self.model.load_state_dict(sort_channels(self.model.state_dict(), groups))


def subnet_complexity(
    space: SubnetSpace, subnet: Subnet, proposals: int, **counting: Any
) -> Complexity:
    """Cost of a subnet at its own resolution; see `pipeline.detection.complexity.detector_complexity`."""
    return detector_complexity(space.architecture(subnet), proposals, **counting)
