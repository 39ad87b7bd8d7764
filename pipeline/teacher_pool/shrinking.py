"""Integrated progressive shrinking: the training of the elastic pool (Joint-DetNAS, section 3.1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch import nn

from pipeline.config.distillation import DistillationConfig
from pipeline.config.teacher_pool import ShrinkingPhase
from pipeline.detection.resolutions import MultiResolutionStream
from pipeline.detection.sampling import sample_by_image
from pipeline.distillation.detectors import observe
from pipeline.distillation.distiller import Distiller
from pipeline.teacher_pool.detector import ElasticDetector
from pipeline.teacher_pool.space import Subnet, SubnetSpace
from pipeline.training.distributed import share_statistics
from pipeline.training.loop import Record
from pipeline.training.optimization import apply_gradients, build_optimizer, learning_rate
from pipeline.training.seeding import derive_seed


class Shrinking:
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
        self.elastic, self.teacher, self.space = elastic, teacher, space
        self.settings, self.seed = settings, seed
        elastic.set_max_net()
        self.distiller: nn.Module | None = None
        if teacher is not None:
            device = next(elastic.model.parameters()).device
            self.distiller = Distiller(elastic.model, teacher, distillation).to(device)
        self.stream = MultiResolutionStream(
            train, settings.batch_size, seed, workers=settings.workers
        )
        self.epoch_length = self.stream.epoch_length
        self.iterations = settings.epochs * self.epoch_length
        adaptation = self.distiller.parameters() if self.distiller else ()
        self.optimizer = build_optimizer(
            [*elastic.model.parameters(), *adaptation], settings.optimizer
        )
        self._batches: Iterator[Any] = iter(())

    def start(self, iteration: int) -> None:
        """Open the data stream."""
        share_statistics(self.elastic.model)
        sample_by_image(self.elastic.model)
        self.elastic.model.train()
        self._batches = self.stream.starting_at(iteration, self.iterations)

    def fetch(self, iteration: int) -> Any:
        """The next training batch."""
        return next(self._batches)

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

    def step(self, iteration: int, data: Any) -> Record:
        """One update of the shared weights; the record holds means over the step's subnets."""
        model = self.elastic.model
        rate = learning_rate(self.settings.optimizer, iteration, self.iterations, self.epoch_length)
        batch = model.data_preprocessor(data, True)
        images, samples = batch["inputs"], batch["data_samples"]
        view = observe(self.teacher, images) if self.teacher is not None else None
        subnets, distiller = self.subnets(iteration), self.distiller
        record: Record = {}
        self.optimizer.zero_grad(set_to_none=True)
        for subnet in subnets:
            self.elastic.set_active_subnet(subnet)
            if distiller is None:
                losses = model.loss(images, samples)
            else:
                losses = distiller(model, images, samples, view)
            loss, parts = model.parse_losses(losses)
            # one backward pass each: the activations of one subnet at a time are kept
            (loss / len(subnets)).backward()
            for name, value in parts.items():
                record[name] = record.get(name, 0.0) + float(value.detach()) / len(subnets)
        apply_gradients(self.optimizer, self.settings.optimizer, rate)
        return {**record, "lr": rate}

    def end_epoch(self, epoch: int) -> Record:
        """Nothing: subnets are evaluated once they are recalibrated, by the stage."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """The pool, the adaptation layer and the optimiser; the teacher does not change."""
        return {
            "pool": dict(self.elastic.model.state_dict()),
            "distiller": dict(self.distiller.state_dict()) if self.distiller else {},
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back `state_dict`."""
        self.elastic.model.load_state_dict(state["pool"])
        if self.distiller:
            self.distiller.load_state_dict(state["distiller"])
        self.optimizer.load_state_dict(state["optimizer"])
