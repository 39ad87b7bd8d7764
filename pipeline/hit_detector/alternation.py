"""First-order alternation of weight and architecture updates (Hit-Detector, section 3.4).

Screening and search are the same alternation: they differ in what is added to the architecture
loss, and in what happens after an architecture step.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from pipeline.config.hit_detector import Alternation
from pipeline.hit_detector.objective import entropy
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.loop import Numbers
from pipeline.training.stream import BatchStream
from pipeline.training.task import Pass, TrainingTask

Loss = Callable[[Any, Any], tuple[Tensor, Numbers]]
"""(model, batch) → the scalar to minimise and numbers to log, `loss` among them."""

A = TypeVar("A", bound=Alternation)


class AlternatingTask(TrainingTask[A]):
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
        settings: A,
        choices: Mapping[str, Sequence[ChoiceLayer]],
        loss: Loss,
        halves: tuple[BatchStream, BatchStream],
    ) -> None:
        self.weights = [p for n, p in model.named_parameters() if not n.endswith("alpha")]
        # every choice layer of the model, so that those which are not optimised stay fixed too
        self.alphas = [p for n, p in model.named_parameters() if n.endswith("alpha")]
        super().__init__(model, settings, halves[0], self.weights)
        self.choices, self.loss, self.architecture_stream = choices, loss, halves[1]
        self.architecture_start = (settings.architecture_from_epoch - 1) * self.epoch_length
        self._optimised = [layer.alpha for layers in choices.values() for layer in layers]
        # β₁ = 0.5 as in the differentiable search that the paper follows: α must turn quickly
        self.architecture_optimizer = torch.optim.Adam(
            self._optimised,
            lr=settings.architecture_lr,
            betas=(0.5, 0.999),
        )
        self.saved["architecture_optimizer"] = self.architecture_optimizer
        self._architecture_batches: Iterator[Any] = iter(())
        self._of_penalty: list[Tensor] = []

    @abstractmethod
    def penalty(self) -> Tensor:
        """What the architecture loss holds besides the task's loss; a scalar.

        It is asked for after the forward pass of the task's loss, and may depend on what that drew.
        """

    def after_architecture_step(self, done: int) -> None:
        """Called after each architecture step; `done` counts finished iterations."""

    def passes(self, iteration: int, batch: Any) -> list[Pass]:
        """One, whose loss is the task's: of a weight batch."""
        return [lambda: self.loss(self.model, batch)]

    def start(self, iteration: int) -> None:
        """Open both data streams."""
        super().start(iteration)
        first = max(iteration, self.architecture_start) - self.architecture_start
        self._architecture_batches = self.architecture_stream.starting_at(
            first, self.iterations - self.architecture_start
        )

    def fetch(self, iteration: int) -> tuple[Any, Any]:
        """A weight batch, and an architecture batch once α is optimised."""
        optimise = iteration >= self.architecture_start
        return super().fetch(iteration), (next(self._architecture_batches) if optimise else None)

    def step(self, iteration: int, data: tuple[Any, Any]) -> dict[str, Tensor | float]:
        """One update of the weights, and from a given epoch on one of α, β and γ.

        Logs the Euclidean norms of both parts of the gradient of α, β and γ: `gradient/loss` of the task's
        loss, `gradient/penalty` of the penalty with its weight.
        """
        weight_batch, architecture_batch = data
        self._require(weights=True)
        record = super().step(iteration, weight_batch)
        if architecture_batch is not None:
            self._require(weights=False)
            record |= self.update(
                self.architecture_optimizer,
                self.in_parts(
                    architecture_batch, lambda part: [lambda: self._architecture_loss(part)]
                ),
                rate=self.settings.architecture_lr,
                clip_norm=None,
            )
            record |= self._gradient_norms()
            self.after_architecture_step(iteration + 1)
        for component, layers in self.choices.items():
            record[f"entropy/{component}"] = entropy(layers)
        return record

    def _architecture_loss(self, batch: Any) -> tuple[Tensor, Numbers]:
        loss, _ = self.loss(self.model, batch)
        penalty = self.penalty()
        self._of_penalty = self._gradients(penalty)
        numbers = {"architecture_loss": loss.detach(), "penalty": penalty.detach()}
        return loss + penalty, numbers

    def _gradients(self, penalty: Tensor) -> list[Tensor]:
        """The penalty's gradient for each optimised α; its graph stays for the backward pass."""
        if not penalty.requires_grad:
            return [torch.zeros_like(alpha) for alpha in self._optimised]
        return list(
            torch.autograd.grad(penalty, self._optimised, retain_graph=True, materialize_grads=True)
        )

    def _gradient_norms(self) -> dict[str, Tensor]:
        """Of the last architecture step; of several processes, the penalty's is the same in all."""
        whole = [torch.zeros_like(a) if a.grad is None else a.grad for a in self._optimised]
        penalty = torch.cat(self._of_penalty)
        return {
            "gradient/loss": (torch.cat(whole) - penalty).norm(),
            "gradient/penalty": penalty.norm(),
        }

    def _require(self, *, weights: bool) -> None:
        """Ask for the gradients of one kind only: the other's would be computed for nothing."""
        for parameter in self.weights:
            parameter.requires_grad_(weights)
        for alpha in self.alphas:
            alpha.requires_grad_(not weights)
