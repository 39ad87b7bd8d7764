"""The stages of Joint-DetNAS, and what each of them takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.config.distillation import Resolution, StudentTrainingConfig
from pipeline.config.root import Config
from pipeline.plan.images import Images
from pipeline.plan.network import TrainingCost, architecture_cost
from pipeline.plan.planned import CLASSES, Planned, trained_stage
from pipeline.search_space.architecture import Architecture
from pipeline.teacher_pool.space import SubnetSpace
from pipeline.zoo.architectures import zoo_architecture
from pipeline.zoo.scaling import scaled

METHOD = "joint_detnas"


def joint_detnas_stages(config: Config, images: Images) -> Iterator[Planned]:
    """Base, teacher pool and hill climbing, in an order in which they can run.

    Subnets of the pool count as half-way between the smallest and the largest, students as the base, or as
    the zoo's ResNet-50 where the base is the user's own.
    """
    pool, climb = config.teacher_pool.space, config.hill_climb
    rois = config.detector.roi_samples
    space = SubnetSpace.whole(pool, CLASSES)
    largest = architecture_cost(space.architecture(space.largest), rois)
    student = architecture_cost(_base(config), rois)
    before: tuple[str, ...] = ()
    if config.base_detector.source == "zoo":
        training = config.base_detector.training
        macs = _student_macs(training, student, 0.0, config, images)
        yield trained_stage(
            "train_student_base", METHOD, config, training, student, macs, before, publishes=True
        )
        before = ("train_student_base",)
    phase_before: tuple[str, ...] = ()
    share = _share(pool.resolutions, max(pool.resolutions, key=_pixels))
    for number, phase in enumerate(config.teacher_pool.phases):
        drawn = _middle(SubnetSpace.of_phase(pool, CLASSES, phase), largest, rois)
        # phase 0 trains its only subnet once, the largest net; later it teaches, its pyramid once a batch
        trained = largest.step_macs
        if number:
            trained = phase.train_largest * largest.step_macs + phase.subnets * drawn.step_macs
            trained += largest.whole.macs
        name = f"shrink_pool_{number}"
        macs = phase.epochs * images.train * trained * share
        yield trained_stage(
            name, METHOD, config, phase, largest, macs, phase_before, publishes=True
        )
        phase_before = (name,)
    teacher = _middle(space, largest, rois).whole.macs * share
    yield trained_stage(
        "evaluate_candidate",
        METHOD,
        config,
        climb.training,
        student,
        _student_macs(climb.training, student, teacher, config, images),
        (*before, *phase_before),
        publishes=True,
        waves=climb.generations,
        jobs=climb.candidates,
    )


def _student_macs(
    training: StudentTrainingConfig,
    student: TrainingCost,
    teacher: float,
    config: Config,
    images: Images,
) -> float:
    """A training at several resolutions, and one validation at each of them."""
    height, width = config.supernet.input_size
    share = _share(training.resolutions, (width, height))
    trained = training.epochs * images.train * (student.step_macs * share + teacher)
    return trained + len(training.resolutions) * images.validated * student.whole.macs * share


def _base(config: Config) -> Architecture:
    base = config.base_detector
    if base.source != "zoo":
        return zoo_architecture("fpn_r50_2fc")
    return scaled(
        zoo_architecture(base.network),
        width=base.width,
        head_width=base.head_width,
        classes=CLASSES,
        input_size=config.supernet.input_size,
        anchor_scale=config.supernet.anchor_scale,
    )


def _middle(space: SubnetSpace, largest: TrainingCost, rois: int) -> TrainingCost:
    """Half-way between a space's smallest subnet and the largest net, at its largest resolution."""
    least = space.smallest.model_copy(update={"resolution": space.largest.resolution})
    smallest = architecture_cost(space.architecture(least), rois)
    return TrainingCost((smallest.whole + largest.whole).times(0.5, 0.5, 0.5))


def _share(resolutions: Sequence[Resolution], counted: Resolution) -> float:
    """Pixels of an image at a resolution drawn at random, as a share of those at which costs are counted."""
    return sum(map(_pixels, resolutions)) / len(resolutions) / _pixels(counted)


def _pixels(resolution: Resolution) -> int:
    longest, shortest = resolution
    return longest * shortest
