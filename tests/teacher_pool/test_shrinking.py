"""A phase of the shrinking: what it draws, that it learns and resumes, and what it leaves alone."""

from pathlib import Path
from typing import Any

import pytest
import torch
from small_pool import AROUND, elastic_detector, embedded_images, image_batches

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.artifacts.manifest import Origin
from pipeline.artifacts.publish import publish
from pipeline.config.data import EmbeddedDetection
from pipeline.config.distillation import DistillationConfig
from pipeline.config.optimization import Optimizer
from pipeline.config.teacher_pool import Recalibration, ShrinkingPhase
from pipeline.data.embedded import write_detection
from pipeline.data.embedded_sources import CLASSES
from pipeline.data.index import SplitPaths
from pipeline.detection.builder import build_detector
from pipeline.detection.recalibration import batch_statistics, recalibrate
from pipeline.detection.resolutions import datasets_at
from pipeline.teacher_pool.pool import extract_teacher, load_pool, pool_files
from pipeline.teacher_pool.shrinking import Shrinking
from pipeline.teacher_pool.space import SubnetSpace
from pipeline.training.loop import Interrupted, run_loop

OPTIMIZER = Optimizer(type="adamw", lr=1e-3, clip_norm=10)
PHASE = ShrinkingPhase(
    epochs=2,
    batch_size=4,
    least_depths=(1, 1, 1, 1),
    widths=(1.0, 1.25, 1.5),
    subnets=2,
    optimizer=OPTIMIZER,
)
FIRST = ShrinkingPhase(
    epochs=1, batch_size=4, least_depths=(2, 2, 3, 2), widths=(1.5,), optimizer=OPTIMIZER
)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "detection"
    folder.mkdir()
    settings = EmbeddedDetection(image_size=96, train_images=12, val_images=2, object_size=(18, 48))
    write_detection(settings, folder)
    return folder


def phase(images: Path, settings: ShrinkingPhase, taught: bool, seed: int = 0) -> Shrinking:
    elastic = elastic_detector("basic")
    space = SubnetSpace.of_phase(elastic.space.shape, len(CLASSES), settings)
    split = SplitPaths(images / "annotations/train.json", images / "images/train")
    train = datasets_at(
        space.choices["resolution"], split, list(CLASSES), AROUND.detector, train=True
    )
    teacher: Any = elastic_detector("basic").model if taught else None
    return Shrinking(elastic, teacher, space, settings, DistillationConfig(), train, seed)


def weights(task: Shrinking) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in task.elastic.model.state_dict().items()}


def test_phase_0_trains_the_largest_net_alone(images) -> None:
    task = phase(images, FIRST, taught=False)
    for iteration in range(8):
        (subnet,) = task.subnets(iteration)
        assert subnet.knobs | {"resolution": 0} == task.space.largest.knobs | {"resolution": 0}


def test_later_phases_draw_from_the_seed_and_the_step_at_the_batchs_resolution(images) -> None:
    task, again = (phase(images, PHASE, taught=True) for _ in range(2))
    seen = set()
    for iteration in range(40):
        drawn = task.subnets(iteration)
        assert drawn == again.subnets(iteration)
        assert {subnet.resolution for subnet in drawn} == {
            task.resolutions[task.stream.choice(iteration)]
        }
        assert drawn[0].depths == task.space.largest.depths
        seen |= {subnet.depths for subnet in drawn[1:]}
    assert len(seen) > 10
    assert phase(images, PHASE, taught=True, seed=1).subnets(0) != task.subnets(0)


def test_a_resumed_phase_ends_as_an_undisturbed_one(images, tmp_path, monkeypatch) -> None:
    settings = {"seed": 0, "title": "phase", "log_interval": 2, "checkpoint_seconds": 1e9}
    whole = phase(images, PHASE, taught=True)
    history = run_loop(whole, WorkFolder(tmp_path / "whole", "sha256:" + "0" * 64), **settings)
    assert {"loss_kd_features", "loss_kd_classes", "loss_kd_boxes", "loss_cls"} <= set(history[0])

    work = WorkFolder(tmp_path / "parts", "sha256:" + "0" * 64)
    stopped = phase(images, PHASE, taught=True)
    step = stopped.step

    def interrupted(iteration: int, data: Any) -> Any:
        if iteration == 2:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGTERM)
        return step(iteration, data)

    monkeypatch.setattr(stopped, "step", interrupted)
    with pytest.raises(Interrupted):
        run_loop(stopped, work, **settings)
    resumed = phase(images, PHASE, taught=True)
    assert run_loop(resumed, work, **settings) == history
    for name, value in weights(whole).items():
        assert torch.equal(weights(resumed)[name], value), name


def test_the_teacher_runs_once_a_step_stays_as_it_is_and_the_adaptation_out_of_the_pool(
    images,
) -> None:
    task = phase(images, PHASE, taught=True)
    assert task.teacher is not None and len(task.subnets(0)) == 3
    ran = {"teacher": 0, "subnets": 0}
    for name, model in (("teacher", task.teacher), ("subnets", task.elastic.model)):

        def count(*_: Any, name: str = name) -> None:
            ran[name] += 1

        model.backbone.register_forward_hook(count)
    before = {name: value.clone() for name, value in task.teacher.state_dict().items()}
    names = set(weights(task))
    task.start(0)
    task.step(0, task.fetch(0))
    assert ran == {"teacher": 1, "subnets": 3}
    for name, value in task.teacher.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert set(weights(task)) == names


def test_a_published_pool_gives_recalibrated_teachers(images, tmp_path) -> None:
    elastic = elastic_detector("basic")
    origin = Origin(stage="shrink_pool", config={}, code=None, inputs={}, seed=0)
    publish(tmp_path / "pool", pool_files(elastic), origin, device="cpu", wall_seconds=0.0)
    loaded = load_pool(tmp_path / "pool", AROUND)
    for name, value in elastic.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], value), name
    dataset = embedded_images(tmp_path / "images", 8)
    subnet = loaded.space.smallest
    model, alone = extract_teacher(
        loaded, subnet, AROUND, [dataset], Recalibration(images=8, batch_size=4)
    )
    assert not model.training
    moved = [
        name
        for name, value in loaded.get_active_subnet().weights.items()
        if not torch.equal(value, alone.weights[name])
    ]
    assert moved
    assert all(name.rpartition(".")[2].startswith(("running_", "num_batches")) for name in moved)


def test_a_teacher_is_measured_at_the_resolutions_it_teaches_at_and_only_once(tmp_path) -> None:
    elastic = elastic_detector("basic")
    subnet, settings = elastic.space.smallest, Recalibration(images=8, batch_size=16)
    embedded_images(tmp_path / "images", 8)
    split = SplitPaths(tmp_path / "images/annotations/val.json", tmp_path / "images/images/val")
    sides = [(64, 64), (96, 96)]
    small, large = datasets_at(sides, split, list(CLASSES), AROUND.detector, train=False)
    model, alone = extract_teacher(elastic, subnet, AROUND, [small, large], settings)
    # half of the images at each, none twice
    by_hand: Any = build_detector(alone.architecture, AROUND)
    by_hand.load_state_dict(elastic.get_active_subnet().weights)
    recalibrate(by_hand, [image_batches(small, 4)[0], image_batches(large, 4)[1]], 8)
    known = batch_statistics(model)
    again, _ = extract_teacher(elastic, subnet, AROUND, [], settings, statistics=known)
    for name, value in by_hand.state_dict().items():
        assert torch.equal(value, alone.weights[name]), name
        assert torch.equal(value, again.state_dict()[name]), name
    ends = ("running_mean", "running_var", "num_batches_tracked")
    assert known and set(known) == {name for name in alone.weights if name.endswith(ends)}
    assert not again.training


def test_every_resolution_has_its_turn_and_every_image_is_taken_once(tmp_path) -> None:
    elastic = elastic_detector("basic")
    images = embedded_images(tmp_path / "images", 8)
    taken: list[tuple[int, int]] = []

    class Noted:
        """The images at one of the resolutions."""

        def __init__(self, number: int) -> None:
            self.number = number

        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, position: int) -> Any:
            taken.append((self.number, position))
            return images[position]

    settings = Recalibration(images=8, batch_size=4)
    extract_teacher(elastic, elastic.space.smallest, AROUND, [*map(Noted, range(5))], settings)
    assert {number for number, _ in taken} == set(range(5))
    assert [position for _, position in taken] == list(range(8))
