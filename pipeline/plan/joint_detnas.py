"""The stages of Joint-DetNAS, and what each of them takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.config.distillation import Resolution, StudentTrainingConfig
from pipeline.config.root import Config
from pipeline.plan.cost import TrainingCost, Work
from pipeline.plan.images import Images
from pipeline.plan.network import architecture_cost
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
    climb = config.hill_climb
    rois = config.detector.roi_samples
    student = architecture_cost(_base(config), rois)
    trained = list(base_stages(config, images, METHOD))
    yield from trained
    before = tuple(stage.name for stage in trained)
    grown_after = before if config.teacher_pool.grown_from_base else ()
    phases = list(pool_stages(config, images, METHOD, grown_after))
    yield from phases
    taught = climb.training.distillation.teaches
    teacher = pool_subnet(config, rois).tested * pool_share(config) if taught else Work()

    def candidates(name: str, jobs: int) -> Planned:
        return trained_stage(
            name,
            METHOD,
            config,
            climb.training,
            student,
            _student_work(climb.training, student, teacher, config, images),
            (*before, phases[-1].name),
            publishes=True,
            tested=student,
            waves=climb.generations,
            jobs=jobs,
            gpus=climb.gpus,
        )

    yield candidates("evaluate_candidate", climb.candidates)
    if climb.controls:
        # each different parent of a generation: of a list of top_k, the first generation has one
        yield candidates("evaluate_candidate of controls", min(climb.candidates, climb.top_k))
    if config.report.joint_random:
        yield candidates("evaluate_candidate of joint_random", climb.candidates)
    # as long as the student's line: the most are as many candidates as generations
    epochs = climb.generations * climb.training.epochs
    longer = climb.training.model_copy(update={"epochs": epochs})
    yield trained_stage(
        "refine_detector of base_longer",
        METHOD,
        config,
        longer,
        student,
        _student_work(longer, student, Work(), config, images),
        ("evaluate_candidate",),
        publishes=True,
        tested=student,
    )


def base_stages(config: Config, images: Images, method: str) -> Iterator[Planned]:
    """The base's training; nothing where the base is the user's own."""
    if config.base_detector.source != "zoo":
        return
    training = config.base_detector.training
    base = architecture_cost(_base(config), config.detector.roi_samples)
    yield trained_stage(
        "train_student_base",
        method,
        config,
        training,
        base,
        _student_work(training, base, Work(), config, images),
        (),
        publishes=True,
        tested=base,
    )


def pool_stages(
    config: Config, images: Images, method: str, after: tuple[str, ...]
) -> Iterator[Planned]:
    """The phases of the teacher pool's training, the first of them after the stages `after`."""
    pool = config.teacher_pool.space
    rois = config.detector.roi_samples
    space = SubnetSpace.whole(pool, CLASSES)
    largest = architecture_cost(space.architecture(space.largest), rois)
    least = _smallest(space, rois)
    phase_before = after
    share = pool_share(config)
    for number, phase in enumerate(config.teacher_pool.phases):
        drawn = _middle(SubnetSpace.of_phase(pool, CLASSES, phase), largest, rois)
        # phase 0 trains its only subnet once, the largest net; later it teaches, its pyramid once a batch
        trained = largest.step
        if number:
            trained = largest.step * phase.train_largest + drawn.step * phase.subnets
            trained += largest.tested
        name = f"shrink_pool_{number}"
        work = trained * (phase.epochs * images.train * share)
        # at its end both ends of the pool are measured anew, and validated
        judged = images.validated + config.teacher_pool.recalibration.images
        work += (largest.tested + least.tested) * judged
        yield trained_stage(
            name,
            method,
            config,
            phase,
            largest,
            work,
            phase_before,
            publishes=True,
            tested=largest,
            gpus=config.teacher_pool.gpus,
        )
        phase_before = (name,)


def pool_subnet(config: Config, rois: int) -> TrainingCost:
    """Half-way between the pool's smallest subnet and its largest, at its largest resolution."""
    space = SubnetSpace.whole(config.teacher_pool.space, CLASSES)
    return _middle(space, architecture_cost(space.architecture(space.largest), rois), rois)


def pool_share(config: Config) -> float:
    """Pixels of an image at one of the pool's resolutions, as a share of those at the largest."""
    resolutions = config.teacher_pool.space.resolutions
    return _share(resolutions, max(resolutions, key=_pixels))


def _student_work(
    training: StudentTrainingConfig,
    student: TrainingCost,
    teacher: Work,
    config: Config,
    images: Images,
) -> Work:
    """A training at several resolutions, and one validation at each of them."""
    height, width = config.supernet.input_size
    share = _share(training.resolutions, (width, height))
    trained = (student.step * share + teacher) * (training.epochs * images.train)
    return trained + student.tested * (len(training.resolutions) * images.validated * share)


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
    smallest = _smallest(space, rois)
    return TrainingCost(
        (smallest.whole + largest.whole).times(0.5, 0.5, 0.5),
        in_flight=(smallest.in_flight + largest.in_flight) / 2,
        looking=(smallest.looking + largest.looking) / 2,
    )


def _smallest(space: SubnetSpace, rois: int) -> TrainingCost:
    least = space.smallest.model_copy(update={"resolution": space.largest.resolution})
    return architecture_cost(space.architecture(least), rois)


def _share(resolutions: Sequence[Resolution], counted: Resolution) -> float:
    """Pixels of an image at a resolution drawn at random, as a share of those at which costs are counted."""
    return sum(map(_pixels, resolutions)) / len(resolutions) / _pixels(counted)


def _pixels(resolution: Resolution) -> int:
    longest, shortest = resolution
    return longest * shortest
