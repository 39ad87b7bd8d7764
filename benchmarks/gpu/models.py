"""The detectors, supernets and steps that are tried: all that this check takes of `pipeline` is here."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from benchmarks.shrinking_memory import batch
from pipeline.config.files import load_config_files
from pipeline.config.root import Config
from pipeline.config.run import Computing
from pipeline.data.index import SplitPaths
from pipeline.detection.builder import Surroundings, build_detector, register_modules
from pipeline.detection.dataset import build_dataset
from pipeline.detection.evaluation import detect, seconds_per_image
from pipeline.detection.loss import detection_loss
from pipeline.detection.training import DetectorTraining
from pipeline.distillation.detectors import observe
from pipeline.distillation.distiller import Distiller
from pipeline.distillation.training import StudentTraining
from pipeline.hit_detector.screening import Screening
from pipeline.hit_detector.spaces import Operations, component_choices, supernet_architecture
from pipeline.morphism.upgrade import upgrade
from pipeline.own_config.machine import Machine
from pipeline.plan.cost import Work
from pipeline.plan.network import Component, architecture_cost, detector_cost
from pipeline.plan.planned import CLASSES, Planned, training_memory
from pipeline.plan.table import Speed
from pipeline.search_space.architecture import COMPONENTS, Architecture
from pipeline.search_space.depthwise import DepthwiseConv2d
from pipeline.supernet.choice import Execution
from pipeline.teacher_pool.detector import ElasticDetector
from pipeline.teacher_pool.shrinking import Shrinking
from pipeline.teacher_pool.space import SubnetSpace
from pipeline.training import distributed
from pipeline.training.computing import OutOfMemory, computed
from pipeline.training.seeding import seed_everything
from pipeline.training.stream import BatchStream
from pipeline.zoo.architectures import zoo_architecture

__all__ = [
    "CLASSES",
    "Architecture",
    "DepthwiseConv2d",
    "OutOfMemory",
    "Precision",
    "Work",
    "batch",
    "detection_loss",
    "register_modules",
    "seconds_per_image",
    "seed_everything",
]

Precision = Literal["float32", "bf16"]

ROOT = Path(__file__).parents[2]
TINY_CLASSES = 10


def begun(device: str) -> str:
    """How `pipeline.begin` lets a run compute on this device, as keys of `run`."""
    able = device == "cpu" or Machine.here("cuda").bf16
    return ", ".join(["fork_server: true", *(["precision: bf16"] if able else [])])


class Images:
    """Stands where a dataset stands: the steps are given their batches."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> Any:
        raise IndexError("the batches are made elsewhere")


def config(name: str, *others: str) -> Config:
    """A config of the project: `test`, `paper`, or another file of config/ on top of it."""
    return load_config_files([ROOT / "config" / f"{each}.yaml" for each in (name, *others)])


def around(settings: Config) -> Surroundings:
    """What completes an architecture to a detector."""
    return Surroundings(settings.detector, settings.testing, settings.normalization)


def one_operation(settings: Config, operation: str, classes: int) -> nn.Module:
    """A detector as the search derives one, with the same operation everywhere."""
    shape = settings.supernet
    everywhere: dict[str, Operations] = dict.fromkeys(COMPONENTS, operation)
    return build_detector(
        supernet_architecture(shape, classes, shape.depth, everywhere), around(settings)
    )


def supernet(
    settings: Config,
    operations: Sequence[str],
    classes: int,
    *,
    execution: Execution,
    paths: int | None = None,
    screening: bool = False,
) -> nn.Module:
    """A supernet whose every component holds the operations; of the screening's depth, or the search's."""
    shape = settings.supernet
    depth = shape.screening_depth if screening else shape.depth
    everywhere: dict[str, Operations] = dict.fromkeys(COMPONENTS, tuple(operations))
    return build_detector(
        supernet_architecture(shape, classes, depth, everywhere),
        around(settings),
        execution=execution,
        paths=paths,
    )


def joint_screening_step(
    settings: Config,
    model: nn.Module,
    images: int,
    size: tuple[int, int],
    classes: int,
) -> Callable[[], Any]:
    """A step of the joint screening: the weights on one batch, then α on another.

    Args:
        settings: of the run.
        model: the supernet, on its device.
        images: of a batch.
        size: height and width of an image.
        classes: of objects.
    """
    choices = {name: list(layers.values()) for name, layers in component_choices(model).items()}
    held = len(choices["backbone"][0].names)
    screening = settings.screening
    keep = screening.keep.model_copy(update=dict.fromkeys(COMPONENTS, held))
    wanted = {"architecture_from_epoch": 1, "batch_size": images, "keep": keep}
    halves = (BatchStream(Images(), images, 0), BatchStream(Images(), images, 1))
    task = Screening(
        COMPONENTS,
        model.train(),
        screening.model_copy(update=wanted),
        choices,
        detection_loss,
        halves,
    )
    data = batch(images, (size[1], size[0]), classes)
    numbers = itertools.count()

    def step() -> None:
        # other paths in every step: parameters get their first gradient at different times
        seed_everything(3, next(numbers))
        task.step(0, (data, data))

    return step


def in_precision(precision: Precision) -> AbstractContextManager[None]:
    """What is inside computes as with `run.precision`."""
    return computed(Computing(precision=precision))


def planned_seconds(settings: Config, work: Work, images: int, precision: Precision) -> float:
    """Seconds that `plan` takes for some work of one GPU that has so many images at once."""
    plan = settings.plan
    speed = Speed(
        plan.gpu_gmacs,
        "GPU",
        1,
        depthwise_gmacs=plan.gpu_depthwise_gmacs,
        bf16=precision == "bf16",
    )
    return 3600 * speed.hours(Planned("", "", work, 1, 0.0, 0.0, 0.0, (), images=images))


def planned_screening(
    settings: Config, operations: Sequence[str], paths: int | None, execution: Execution
) -> tuple[Work, Callable[[int, Precision], float]]:
    """What `plan` says of the joint screening: an image's work in both its steps, bytes of a batch."""
    shape = settings.supernet.model_copy(update={"execution": execution})
    held = len(operations)
    part = Component(tuple(operations), held, paths or held)
    parts: dict[str, Component | str] = dict.fromkeys(COMPONENTS, part)
    cost = detector_cost(
        shape, shape.screening_depth, parts, settings.detector.roi_samples, CLASSES
    )
    return (
        cost.step + cost.architecture_step,
        lambda images, precision: training_memory(cost, images, "sgd", precision),
    )


def pool_space(settings: Config, classes: int) -> SubnetSpace:
    """Every subnet of the teacher pool."""
    return SubnetSpace.whole(settings.teacher_pool.space, classes)


def pool_net(settings: Config, classes: int, *, largest: bool) -> nn.Module:
    """The largest or the smallest detector of the teacher pool, by itself."""
    space = pool_space(settings, classes)
    subnet = space.largest if largest else space.smallest
    return build_detector(space.architecture(subnet), around(settings))


def resnet50(settings: Config) -> nn.Module:
    """The students' base: Faster R-CNN with a ResNet-50."""
    return build_detector(zoo_architecture("fpn_r50_2fc"), around(settings))


def candidate_work(settings: Config, resolution: tuple[int, int]) -> Work:
    """An image's work in a training of the ResNet-50 with the pool's largest net.

    Args:
        settings: of the run.
        resolution: width and height; the cost is taken to grow with the pixels.
    """
    total = Work()
    space = pool_space(settings, CLASSES)
    rois = settings.detector.roi_samples
    for architecture, teaches in (
        (zoo_architecture("fpn_r50_2fc"), False),
        (space.architecture(space.largest), True),
    ):
        cost = architecture_cost(architecture, rois)
        height, width = architecture.input_size
        share = resolution[0] * resolution[1] / (height * width)
        total += (cost.tested if teaches else cost.step) * share
    return total


class Distilled(nn.Module):
    """A student, and what its training needs of a teacher."""

    def __init__(self, settings: Config, student: nn.Module, teacher: nn.Module) -> None:
        super().__init__()
        self.student: Any = student
        self.teacher: Any = teacher.eval().requires_grad_(False)
        self.distiller = Distiller(student, teacher, settings.teacher_pool.distillation)

    def train(self, mode: bool = True) -> Distilled:
        """The teacher stays as it is."""
        super().train(mode)
        self.teacher.eval()
        return self

    def to(self, *args: Any, **kwargs: Any) -> Distilled:
        """A detector must be moved by its own method, or it goes on putting batches where it was."""
        super().to(*args, **kwargs)
        self.student.to(*args, **kwargs)
        self.teacher.to(*args, **kwargs)
        return self

    def loss(self, data: Mapping[str, Any]) -> Tensor:
        """The student's loss on a batch."""
        given = self.student.data_preprocessor(data, True)
        images = given["inputs"]
        view = observe(self.teacher, images)
        losses = self.distiller(self.student, images, given["data_samples"], view)
        return self.student.parse_losses(losses)[0]


def upgraded(settings: Config, classes: int) -> nn.Module:
    """The pool's smallest net with deformable convolutions and a cascade, as `upgrade` makes one.

    The offsets, zero at first, are moved a little: on whole places a bilinear sample has no derivative.
    """
    space = pool_space(settings, classes)
    architecture = space.architecture(space.smallest)
    plain = build_detector(architecture, around(settings))
    changed, weights = upgrade(
        architecture,
        plain.state_dict(),
        settings.upgrade.deformable_stages,
        settings.upgrade.cascade,
    )
    model = build_detector(changed, around(settings))
    model.load_state_dict(weights, strict=True)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("conv_offset.bias"):
                parameter.uniform_(0.1, 0.4)
    return model


def shrinking_step(
    settings: Config, classes: int, device: torch.device
) -> tuple[nn.Module, Callable[[], Tensor]]:
    """A step of the pool's last phase, with the weights of a fixed seed; it returns the loss.

    The gradients stay in the parameters of the module that is returned.
    """
    seed_everything(5)
    pool, phase = settings.teacher_pool, settings.teacher_pool.phases[-1]
    elastic = ElasticDetector(SubnetSpace.whole(pool.space, classes), around(settings))
    teacher = ElasticDetector(elastic.space, around(settings)).model
    elastic.model.to(device).train()
    teacher.to(device).eval()
    space = SubnetSpace.of_phase(pool.space, classes, phase)
    resolutions = space.choices["resolution"]
    task = Shrinking(
        elastic, teacher, space, phase, pool.distillation, [Images()] * len(resolutions), seed=0
    )
    data = batch(2, resolutions[task.stream.choice(0)], classes)

    def step() -> Tensor:
        seed_everything(3)
        return torch.as_tensor(task.step(0, data)["loss"])

    return elastic.model, step


def detector_step(settings: Config, classes: int, device: torch.device) -> Callable[[], Any]:
    """A step of the training of a derived detector, on two images."""
    model = one_operation(settings, "conv_k3_d1", classes).to(device)
    section = settings.training.model_copy(update={"batch_size": 2, "workers": 0})
    task = DetectorTraining(model, section, Images(), (Images(), Path()), seed=0)
    task.start(0)
    data = batch(2, settings.supernet.input_size, classes)
    return lambda: task.step(0, data)


def student_step(settings: Config, classes: int, device: torch.device) -> Callable[[], Any]:
    """A step of a candidate of the hill climbing with its teacher, on two images."""
    student, teacher = (
        pool_net(settings, classes, largest=largest).to(device) for largest in (False, True)
    )
    section = settings.hill_climb.training.model_copy(update={"batch_size": 2, "workers": 0})
    every = [Images()] * len(section.resolutions)
    task = StudentTraining(
        student, teacher.eval().requires_grad_(False), section, every, (every, Path()), seed=0
    )
    task.start(0)
    data = batch(2, section.resolutions[0], classes)
    return lambda: task.step(0, data)


@contextmanager
def shared_batch_norm_alone() -> Iterator[Callable[..., Tensor]]:
    """The batch normalisation of several processes, in one: its all-reduces copy instead."""

    class Copy(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, values: Tensor) -> Tensor:
            return values.clone()

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Tensor:
            return gradients[0].clone()

    name = "_sum"
    before = getattr(distributed, name)
    setattr(distributed, name, Copy.apply)
    try:
        yield distributed.shared_batch_norm
    finally:
        setattr(distributed, name, before)


def detection_dataset(settings: Config, annotations: Path, images: Path, classes: int) -> Any:
    """A test dataset in COCO's format."""
    names = [str(number) for number in range(classes)]
    return build_dataset(SplitPaths(annotations, images), names, settings.detector, train=False)


def detection_loads_in_processes() -> bool:
    """Whether `detect` can load images in processes of their own."""
    return "workers" in inspect.signature(detect).parameters


def detect_all(model: nn.Module, dataset: Any, images: int, workers: int) -> int:
    """Detect on a dataset; returns the number of detections.

    Args:
        model: a detector.
        dataset: a test dataset.
        images: at once.
        workers: loading processes; only where `detection_loads_in_processes`.
    """
    further: dict[str, Any] = {"workers": workers} if workers else {}
    return len(detect(model, dataset, images, **further))
