"""Training a student with its teacher: a task of the training loop (Joint-DetNAS, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pipeline.config.detector import DetectorConfig
from pipeline.config.distillation import Resolution, StudentTrainingConfig
from pipeline.data.index import DatasetIndex
from pipeline.detection.evaluation import coco_metrics, detect
from pipeline.detection.resolutions import MultiResolutionStream, datasets_at
from pipeline.detection.sampling import sample_by_image
from pipeline.distillation.detectors import observe
from pipeline.distillation.distiller import Distiller
from pipeline.distillation.losses import batch_norm_sparsity
from pipeline.training.distributed import share_statistics
from pipeline.training.loop import Record
from pipeline.training.optimization import build_optimizer, learning_rate, step_optimizer


class StudentTraining:
    """Minimises L = L_det + L_feat + L_cls + L_reg + λ · L_BN, each step at one drawn resolution.

    After the last epoch the student is validated at every resolution. Its `state_dict` holds the
    detector alone: the adaptation layer is the task's, and stays behind.

    Args:
        student: an mmdet detector, on its device.
        teacher: a two-stage detector on the same device, its batch statistics in order; it is not
            changed. `None` trains without distillation.
        settings: weights, λ, resolutions, length and optimiser.
        train: training datasets at `settings.resolutions`, in their order (`datasets_at`).
        validation: the same in testing, and the COCO file with their truth.
        seed: of the data stream and the resolutions.

    Raises:
        DistillationError: teacher and student cannot be compared.
        ValueError: there is not one dataset for each resolution.
    """

    def __init__(
        self,
        student: Any,
        teacher: Any | None,
        settings: StudentTrainingConfig,
        train: Sequence[Any],
        validation: tuple[Sequence[Any], Path],
        seed: int,
    ) -> None:
        for name, datasets in (("training", train), ("validation", validation[0])):
            if len(datasets) != len(settings.resolutions):
                raise ValueError(
                    f"{len(datasets)} {name} datasets for {len(settings.resolutions)} resolutions"
                )
        self.student, self.teacher, self.settings = student, teacher, settings
        self.validation = validation
        self.distiller: nn.Module | None = None
        if teacher is not None:
            device = next(student.parameters()).device
            self.distiller = Distiller(student, teacher, settings.distillation).to(device)
        self.stream = MultiResolutionStream(
            train, settings.batch_size, seed, workers=settings.workers
        )
        self.epoch_length = self.stream.epoch_length
        self.iterations = settings.epochs * self.epoch_length
        adaptation = self.distiller.parameters() if self.distiller else ()
        self.optimizer = build_optimizer([*student.parameters(), *adaptation], settings.optimizer)
        self.metrics: list[dict[str, Any]] = []
        self._batches: Iterator[Any] = iter(())

    def start(self, iteration: int) -> None:
        """Open the data stream."""
        share_statistics(self.student)
        sample_by_image(self.student)
        self.student.train()
        self._batches = self.stream.starting_at(iteration, self.iterations)

    def fetch(self, iteration: int) -> Any:
        """The next training batch."""
        return next(self._batches)

    def step(self, iteration: int, data: Any) -> Record:
        """One update of the student and the adaptation layer."""
        rate = learning_rate(self.settings.optimizer, iteration, self.iterations, self.epoch_length)
        loss, parts = self.student.parse_losses(self.losses(data))
        step_optimizer(self.optimizer, loss, self.settings.optimizer, rate)
        return {name: float(value.detach()) for name, value in parts.items()} | {"lr": rate}

    def losses(self, batch: Any) -> dict[str, Tensor | list[Tensor]]:
        """All terms of L, weighted, by the names under which they are logged."""
        data = self.student.data_preprocessor(batch, True)
        images, samples = data["inputs"], data["data_samples"]
        if self.distiller is None:
            losses = self.student.loss(images, samples)
        else:
            losses = self.distiller(self.student, images, samples, observe(self.teacher, images))
        if self.settings.sparsity:
            sparsity = batch_norm_sparsity(self.student.backbone)
            losses["loss_sparsity"] = self.settings.sparsity * sparsity
        return losses

    def end_epoch(self, epoch: int) -> Record:
        """After the last epoch: AP at every resolution; `metrics` holds all of COCO's numbers."""
        if epoch != self.settings.epochs:
            return {}
        datasets, annotations = self.validation
        self.metrics = [
            {
                "resolution": list(resolution),
                **coco_metrics(
                    annotations, detect(self.student, dataset, self.settings.batch_size)
                ),
            }
            for resolution, dataset in zip(self.settings.resolutions, datasets, strict=True)
        ]
        return {
            f"AP/{resolution_name(resolution)}": numbers["AP"]
            for resolution, numbers in zip(self.settings.resolutions, self.metrics, strict=True)
            if numbers["AP"] is not None
        }

    def state_dict(self) -> dict[str, Any]:
        """Student, adaptation layer and optimiser; the teacher does not change."""
        return {
            "student": dict(self.student.state_dict()),
            "distiller": dict(self.distiller.state_dict()) if self.distiller else {},
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back `state_dict`."""
        self.student.load_state_dict(state["student"])
        if self.distiller:
            self.distiller.load_state_dict(state["distiller"])
        self.optimizer.load_state_dict(state["optimizer"])


def student_training(
    student: Any,
    teacher: Any | None,
    settings: StudentTrainingConfig,
    index: DatasetIndex,
    images: DetectorConfig,
    seed: int,
) -> StudentTraining:
    """The training of a student on a dataset's training split, validated on its val split.

    Args:
        student: see `StudentTraining`.
        teacher: the same.
        settings: the same.
        index: of the dataset.
        images: how they enter, at `settings.resolutions` instead of `image_scale`.
        seed: of the data stream and the resolutions.
    """
    train, val = index.split("train"), index.split("val")
    at, classes = settings.resolutions, list(index.classes)
    return StudentTraining(
        student,
        teacher,
        settings,
        datasets_at(at, train, classes, images, train=True),
        (datasets_at(at, val, classes, images, train=False), val.annotations),
        seed,
    )


def resolution_name(resolution: Resolution) -> str:
    """Longest × shortest side, as logs name it: `1333x800`."""
    return "x".join(map(str, resolution))
