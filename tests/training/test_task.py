"""What all trainings share: the update, by hand, and the one context around their forward passes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from training_process import AROUND, SGD, make_task, write_data

from pipeline.config.distillation import DistillationConfig, StudentTrainingConfig
from pipeline.config.optimization import Optimizer, Training
from pipeline.config.run import Computing
from pipeline.config.teacher_pool import PoolSpace, ShrinkingPhase
from pipeline.data.embedded_sources import CLASSES
from pipeline.data.index import SplitPaths
from pipeline.detection.builder import build_detector
from pipeline.detection.resolutions import datasets_at
from pipeline.distillation.training import StudentTraining
from pipeline.search_space.architecture import Architecture, ConvFcHead, FpnNeck, Rpn
from pipeline.search_space.standard import resnet_backbone
from pipeline.supernet.choice import choice_layers
from pipeline.teacher_pool.detector import ElasticDetector
from pipeline.teacher_pool.shrinking import Shrinking
from pipeline.teacher_pool.space import SubnetSpace
from pipeline.training.computing import OutOfMemory, computed
from pipeline.training.loop import Numbers
from pipeline.training.stream import BatchStream
from pipeline.training.task import Pass, TrainingTask, micro_batches

PLAIN = Optimizer(lr=0.5, momentum=0, weight_decay=0, schedule="step", milestones=(9,))


class _Weight(nn.Module):
    """One number, which begins at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(()))


class _Pulled(TrainingTask[Training]):
    """A step's losses are multiples of the weight: their mean is the gradient."""

    def __init__(
        self, slopes: Sequence[float], optimizer: Optimizer = PLAIN, until: int | None = None
    ) -> None:
        self.weight, self.slopes = _Weight(), slopes
        stream = BatchStream(list(torch.arange(8.0)), 2, seed=1)
        settings = Training(epochs=3, optimizer=optimizer)
        super().__init__(self.weight, settings, stream, self.weight.parameters(), until)

    def passes(self, iteration: int, batch: Tensor) -> list[Pass]:
        def pull(slope: float) -> tuple[Tensor, Numbers]:
            loss = slope * self.weight.value
            own = {"steep": slope} if slope > 3 else {}
            return loss, {"loss": loss.detach(), "slope": torch.tensor(slope), **own}

        return [lambda slope=slope: pull(slope) for slope in self.slopes]


def _steps(task: TrainingTask[Any], number: int) -> list[dict[str, Any]]:
    task.start(0)
    return [task.step(iteration, task.fetch(iteration)) for iteration in range(number)]


def test_a_step_descends_the_mean_of_its_passes_and_forgets_the_step_before() -> None:
    task = _Pulled((2.0, 4.0, 6.0))
    records = _steps(task, 3)
    # three times 0.5 · (2 + 4 + 6) / 3
    assert task.weight.value.item() == -6.0
    assert [record["slope"] for record in records] == [4.0] * 3
    # before each step: the mean slope times 0, -2, -4
    assert [record["loss"] for record in records] == pytest.approx([0.0, -8.0, -16.0])
    # two passes of three have it
    assert [record["steep"] for record in records] == pytest.approx([10 / 3] * 3)
    assert [record["lr"] for record in records] == [0.5] * 3


def test_the_mean_gradient_is_clipped_not_each_pass_s() -> None:
    task = _Pulled((3.0, -2.0), PLAIN.model_copy(update={"clip_norm": 1.0}))
    _steps(task, 1)
    # 3 and -2 have a mean of a half, which is below 1; clipped by themselves they would cancel
    assert task.weight.value.item() == pytest.approx(-0.25)


def test_length_and_rate_follow_the_settings() -> None:
    schedule = Optimizer(lr=1.0, momentum=0, schedule="step", milestones=(1, 2))
    task = _Pulled((1.0,), schedule)
    # eight images in batches of two, three epochs
    assert (task.epoch_length, task.iterations) == (4, 12)
    rates = [record["lr"] for record in _steps(task, 12)]
    assert rates == pytest.approx([1.0] * 4 + [0.1] * 4 + [0.01] * 4)


def test_a_beginning_has_the_rates_of_the_whole() -> None:
    schedule = Optimizer(lr=1.0, momentum=0, schedule="cosine")
    whole, beginning = _Pulled((1.0,), schedule), _Pulled((1.0,), schedule, until=2)
    assert (beginning.last_epoch, beginning.iterations) == (2, 8)
    rates = [record["lr"] for record in _steps(beginning, 8)]
    # a half cosine over twelve steps, of which the ninth would be lower still
    assert rates == [record["lr"] for record in _steps(whole, 8)]
    assert rates[6] == pytest.approx(0.5) and rates[7] > 0.3
    assert beginning.weight.value.item() == whole.weight.value.item()


def test_a_checkpoint_brings_back_weights_and_the_optimiser_s_memory() -> None:
    momentum = PLAIN.model_copy(update={"momentum": 0.9})
    whole, first, second = (_Pulled((1.0,), momentum) for _ in range(3))
    _steps(whole, 5)
    _steps(first, 3)
    second.load_state_dict(first.state_dict())
    second.start(3)
    for iteration in (3, 4):
        second.step(iteration, second.fetch(iteration))
    assert second.weight.value.item() == whole.weight.value.item()


def _batch(images: int) -> dict[str, list[int]]:
    return {"inputs": list(range(images)), "data_samples": list(range(10, 10 + images))}


def test_a_batch_is_taken_in_parts_that_are_nearly_equal() -> None:
    assert [*micro_batches(_batch(5), None)] == [(1, _batch(5))]
    parts = [*micro_batches(_batch(5), 2)]
    assert [count for count, _ in parts] == [1, 2, 2]
    assert [part["inputs"] for _, part in parts] == [[0], [1, 2], [3, 4]]
    assert [part["data_samples"] for _, part in parts] == [[10], [11, 12], [13, 14]]
    images, labels = torch.arange(4.0), torch.arange(4)
    of_classes = [*micro_batches([images, labels], 3)]
    assert [[column.tolist() for column in part] for _, part in of_classes] == [
        [[0, 1], [0, 1]],
        [[2, 3], [2, 3]],
    ]


class _Fitted(TrainingTask[Training]):
    """The weight goes to the mean of the images, of which a step takes five."""

    def __init__(self) -> None:
        self.weight, self.taken = _Weight(), []
        stream = BatchStream(list(torch.arange(5.0) ** 2), 5, seed=1)
        super().__init__(
            self.weight,
            Training(epochs=1, batch_size=5, optimizer=PLAIN),
            stream,
            self.weight.parameters(),
        )

    def passes(self, iteration: int, batch: Tensor) -> list[Pass]:
        def fit() -> tuple[Tensor, Numbers]:
            self.taken.append(len(batch))
            loss = 0.5 * (self.weight.value - batch).square().mean()
            return loss, {"loss": loss.detach()}

        return [fit]


@pytest.mark.parametrize(
    ("most", "parts"), [(None, [5]), (5, [5]), (3, [2, 3]), (2, [1, 2, 2]), (1, [1] * 5)]
)
def test_an_update_of_micro_batches_is_that_of_the_batch(
    most: int | None, parts: list[int]
) -> None:
    task = _Fitted()
    with computed(Computing(micro_batch=most)):
        (record,) = _steps(task, 1)
    assert task.taken == parts
    # half of the way to (0 + 1 + 4 + 9 + 16) / 5
    assert task.weight.value.item() == pytest.approx(3.0)
    assert float(record["loss"]) == pytest.approx(0.5 * (0 + 1 + 16 + 81 + 256) / 5)


def test_where_memory_runs_out_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large() -> tuple[Tensor, Numbers]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    task = _Fitted()
    monkeypatch.setattr(task, "passes", lambda iteration, batch: [too_large])
    with pytest.raises(OutOfMemory, match=r"with 5 images at once: lower run\.micro_batch"):
        _steps(task, 1)
    with computed(Computing(micro_batch=2)), pytest.raises(OutOfMemory, match="with 2 images"):
        _steps(task, 1)


# Every training that there is, and the forward passes of one step: of a student and its teacher in one
# context, of a pool's teacher once and of three subnets, of the weights' and the architecture's half.
TRAININGS = {
    "classification": 1,
    "training": 1,
    "student": 1,
    "shrinking": 4,
    "screening": 2,
    "search": 2,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


def _datasets(folder: Path) -> list[Any]:
    split = SplitPaths(folder / "annotations/train.json", folder / "images/train")
    return datasets_at(((64, 64),), split, list(CLASSES), AROUND.detector, train=True)


def _student(folder: Path) -> StudentTraining:
    architecture = Architecture(
        family="faster_rcnn",
        backbone=resnet_backbone(18, base_channels=4),
        neck=FpnNeck(channels=8),
        rpn=Rpn(channels=8, anchor_scale=4),
        head=ConvFcHead(roi_size=3, fcs=(16,)),
        classes=len(CLASSES),
        input_size=(64, 64),
    )
    student, teacher = (build_detector(architecture, AROUND) for _ in range(2))
    settings = StudentTrainingConfig(epochs=1, batch_size=4, resolutions=((64, 64),), optimizer=SGD)
    train = _datasets(folder)
    return StudentTraining(student, teacher, settings, train, (train, folder / "truth.json"), 5)


def _taught_pool(folder: Path) -> Shrinking:
    shape = PoolSpace(
        block="basic",
        base_channels=4,
        neck_channels=8,
        rpn_channels=8,
        roi_size=3,
        head_fc_channels=16,
        resolutions=((64, 64),),
    )
    phase = ShrinkingPhase(
        epochs=1,
        batch_size=4,
        least_depths=(2, 2, 2, 2),
        widths=(1.0, 1.5),
        subnets=2,
        optimizer=SGD,
    )
    whole = SubnetSpace.whole(shape, len(CLASSES))
    space = SubnetSpace.of_phase(shape, len(CLASSES), phase)
    elastic, teacher = (ElasticDetector(whole, AROUND) for _ in range(2))
    distillation = DistillationConfig()
    return Shrinking(elastic, teacher.model, space, phase, distillation, _datasets(folder), 5)


def make_training(name: str, folder: Path) -> TrainingTask[Any]:
    makers: dict[str, Callable[[Path], TrainingTask[Any]]] = {
        "student": _student,
        "shrinking": _taught_pool,
    }
    return makers[name](folder) if name in makers else make_task(name, folder)


@pytest.mark.parametrize("name", TRAININGS)
def test_every_forward_pass_of_every_training_is_inside_the_one_context(
    name: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    inside: list[bool] = [False]
    ran: list[tuple[bool, int]] = []

    @contextmanager
    def recorded(task: TrainingTask[Any]) -> Iterator[None]:
        assert not inside[0]
        inside[0] = True
        opened.append(0)
        yield
        inside[0] = False

    def note(module: nn.Module, *_: Any) -> None:
        ran.append((inside[0], len(opened)))

    monkeypatch.setattr(TrainingTask, "forward_pass", recorded)
    torch.manual_seed(0)
    task = make_training(name, data)
    # what is computed again belongs to the backward pass, where PyTorch restores autocast by itself
    for layer in choice_layers(task.model).values():
        layer.execution = "store"
    models = [task.model, getattr(task, "teacher", None), getattr(task, "distiller", None)]
    for model in models:
        for module in model.modules() if model is not None else ():
            module.register_forward_pre_hook(note)
    task.start(0)
    task.step(0, task.fetch(0))
    assert ran and all(within for within, _ in ran)
    assert len(opened) == TRAININGS[name]
    # none of the contexts is open for nothing
    assert {number for _, number in ran} == set(range(1, len(opened) + 1))
    # planted: a forward pass that nobody wraps is seen
    layer = next(each for each in task.model.modules() if isinstance(each, nn.Conv2d))
    layer(torch.zeros(1, layer.in_channels, 9, 9))
    assert ran[-1] == (False, len(opened))
