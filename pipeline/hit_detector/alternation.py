"""First-order alternation of weight and architecture updates (Hit-Detector, section 3.4).

Screening and search are the same alternation: they differ in what is added to the architecture
loss, and in what happens after an architecture step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.config.hit_detector import Alternation
from pipeline.hit_detector.objective import entropy
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.distributed import average_gradients, share_statistics
from pipeline.training.loop import Record
from pipeline.training.optimization import build_optimizer, learning_rate, step_optimizer
from pipeline.training.stream import BatchStream

Loss = Callable[[Any, Any], tuple[Tensor, Record]]
"""(model, batch) → the scalar to minimise and numbers to log, `loss` among them."""


class AlternatingTask:
    """Weights on one half of the training data, architecture parameters on the other.

    Args:
        model: the supernet, on its device.
        settings: the `screening` or `search` section.
        choices: per component the choice layers that are optimised.
        loss: the task's loss, of detection in the workflow.
        halves: the streams of weight batches and architecture batches; an epoch is a pass over the first.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: Alternation,
        choices: Mapping[str, Sequence[ChoiceLayer]],
        loss: Loss,
        halves: tuple[BatchStream, BatchStream],
    ) -> None:
        self.model, self.settings, self.choices, self.loss = model, settings, choices, loss
        self.weight_stream, self.architecture_stream = halves
        self.epoch_length = self.weight_stream.epoch_length
        self.iterations = settings.epochs * self.epoch_length
        self.architecture_start = (settings.architecture_from_epoch - 1) * self.epoch_length
        self.weights = [p for n, p in model.named_parameters() if not n.endswith("alpha")]
        # every choice layer of the model, so that those which are not optimised stay fixed too
        self.alphas = [p for n, p in model.named_parameters() if n.endswith("alpha")]
        self.weight_optimizer = build_optimizer(self.weights, settings.optimizer)
        # β₁ = 0.5 as in the differentiable search that the paper follows: α must turn quickly
        self.architecture_optimizer = torch.optim.Adam(
            [layer.alpha for layers in choices.values() for layer in layers],
            lr=settings.architecture_lr,
            betas=(0.5, 0.999),
        )
        self._weight_batches: Iterator[Any] = iter(())
        self._architecture_batches: Iterator[Any] = iter(())

    def penalty(self) -> Tensor:
        """What the architecture loss holds besides the task's loss; a scalar."""
        raise NotImplementedError

    def after_architecture_step(self, done: int) -> None:
        """Called after each architecture step; `done` counts finished iterations."""

    def start(self, iteration: int) -> None:
        """Open both data streams."""
        share_statistics(self.model)
        self.model.train()
        self._weight_batches = self.weight_stream.starting_at(iteration, self.iterations)
        first = max(iteration, self.architecture_start) - self.architecture_start
        self._architecture_batches = self.architecture_stream.starting_at(
            first, self.iterations - self.architecture_start
        )

    def fetch(self, iteration: int) -> tuple[Any, Any]:
        """A weight batch, and an architecture batch once α is optimised."""
        optimise = iteration >= self.architecture_start
        return next(self._weight_batches), (next(self._architecture_batches) if optimise else None)

    def step(self, iteration: int, data: tuple[Any, Any]) -> Record:
        """One update of the weights, and from a given epoch on one of α, β and γ."""
        weight_batch, architecture_batch = data
        rate = learning_rate(self.settings.optimizer, iteration, self.iterations, self.epoch_length)
        self._require(weights=True)
        loss, record = self.loss(self.model, weight_batch)
        step_optimizer(self.weight_optimizer, loss, self.settings.optimizer, rate)
        record["lr"] = rate
        if architecture_batch is not None:
            record |= self._architecture_step(architecture_batch)
            self.after_architecture_step(iteration + 1)
        for component, layers in self.choices.items():
            record[f"entropy/{component}"] = entropy(layers)
        return record

    def _architecture_step(self, batch: Any) -> Record:
        self._require(weights=False)
        loss, _ = self.loss(self.model, batch)
        penalty = self.penalty()
        self.architecture_optimizer.zero_grad(set_to_none=True)
        (loss + penalty).backward()
        average_gradients(self.architecture_optimizer.param_groups[0]["params"])
        self.architecture_optimizer.step()
        return {"architecture_loss": float(loss.detach()), "penalty": float(penalty.detach())}

    def _require(self, *, weights: bool) -> None:
        """Ask for the gradients of one kind only: the other's would be computed for nothing."""
        for parameter in self.weights:
            parameter.requires_grad_(weights)
        for alpha in self.alphas:
            alpha.requires_grad_(not weights)

    def end_epoch(self, epoch: int) -> Record:
        """Nothing to add."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Weights, α, living candidates and both optimisers."""
        return {
            "model": dict(self.model.state_dict()),
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "architecture_optimizer": self.architecture_optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back `state_dict`."""
        self.model.load_state_dict(state["model"])
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        self.architecture_optimizer.load_state_dict(state["architecture_optimizer"])
