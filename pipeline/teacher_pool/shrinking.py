"""Integrated progressive shrinking: the training of the elastic pool (Joint-DetNAS, section 3.1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from pipeline.config.distillation import DistillationConfig
from pipeline.config.teacher_pool import ShrinkingPhase
from pipeline.detection.loss import preprocess, summed_losses
from pipeline.detection.resolutions import MultiResolutionStream
from pipeline.distillation.task import TaughtTask
from pipeline.teacher_pool.detector import ElasticDetector
from pipeline.teacher_pool.space import Subnet, SubnetSpace
from pipeline.training.loop import Numbers
from pipeline.training.seeding import derive_seed
from pipeline.training.task import Pass


class Shrinking(TaughtTask[ShrinkingPhase]):
    """One phase: each step trains a few subnets of the phase's space on one batch, at one resolution.

    The gradients of a step's subnets are averaged before the update. The largest net of phase 0 is
    their teacher: L = L_det + L_feat + L_cls + L_reg (section 3.2); its pyramid is computed once a
    batch. Phase 0 has no teacher and no choice: its only subnet is the largest net.

    Args:
        elastic: the pool, on its device, with the weights of the phase before.
        teacher: the fixed largest net of phase 0; `None` in phase 0.
        space: the subnets of this phase; a part of the pool's space.
        settings: the phase.
        distillation: weights of the distillation losses.
        train: training datasets at the space's resolutions, in their order (`datasets_at`).
        seed: of the data stream, the resolutions and the subnets.

    Raises:
        ValueError: there is not one dataset for each resolution.
    """

    def __init__(
        self,
        elastic: ElasticDetector,
        teacher: Any | None,
        space: SubnetSpace,
        settings: ShrinkingPhase,
        distillation: DistillationConfig,
        train: Sequence[Any],
        seed: int,
    ) -> None:
        self.resolutions = space.choices["resolution"]
        if len(train) != len(self.resolutions):
            raise ValueError(f"{len(train)} datasets for {len(self.resolutions)} resolutions")
        self.elastic, self.space, self.seed = elastic, space, seed
        elastic.set_max_net()
        stream = MultiResolutionStream(train, settings.batch_size, seed, workers=settings.workers)
        super().__init__(elastic.model, teacher, settings, distillation, stream)

    def subnets(self, iteration: int) -> list[Subnet]:
        """The subnets that a step trains, each once: a function of the seed and the iteration."""
        resolution = self.resolutions[self.stream.choice(iteration)]
        rng = np.random.default_rng(derive_seed(self.seed, "subnets", iteration))
        drawn = [self.space.sample(rng) for _ in range(self.settings.subnets)]
        if self.settings.train_largest:
            drawn.insert(0, self.space.largest)
        return list(
            dict.fromkeys(each.model_copy(update={"resolution": resolution}) for each in drawn)
        )

    def passes(self, iteration: int, batch: Any) -> list[Pass]:
        """One for each of the step's subnets, on the same batch and the same view of the teacher."""
        model = self.elastic.model
        with self.forward_pass():
            images, samples = preprocess(model, batch)
            view = self.observed(images)

        def losses(images: Tensor, samples: list[Any]) -> dict[str, Any]:
            return self.losses(images, samples, view)

        def train(subnet: Subnet) -> tuple[Tensor, Numbers]:
            self.elastic.set_active_subnet(subnet)
            return summed_losses(model, images, samples, losses)

        return [partial(train, subnet) for subnet in self.subnets(iteration)]
