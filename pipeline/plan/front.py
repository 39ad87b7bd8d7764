"""The stages of `snakemake front`, and what each of them takes."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config.root import Config
from pipeline.plan.images import Images
from pipeline.plan.joint_detnas import base_stages, pool_share, pool_stages, pool_subnet
from pipeline.plan.network import architecture_cost
from pipeline.plan.planned import CLASSES, Planned, testing_memory
from pipeline.teacher_pool.space import SubnetSpace

METHOD = "front"


def front_stages(config: Config, images: Images, *, pool_there: bool) -> Iterator[Planned]:
    """The pool's training, the generations of subnets, and the front's own evaluation.

    Subnets count as half-way between the smallest and the largest, at the mean of the resolutions. The front
    is taken to hold as many as a generation has. Measuring latencies, and training detectors that
    `front.stock` names, are not counted.

    Args:
        config: of the run.
        images: of its datasets.
        pool_there: whether the pool is trained by another of the run's methods.
    """
    front, testing = config.front, config.testing
    after = f"shrink_pool_{len(config.teacher_pool.phases) - 1}"
    if not pool_there:
        base = (
            list(base_stages(config, images, METHOD)) if config.teacher_pool.grown_from_base else []
        )
        yield from base
        yield from pool_stages(config, images, METHOD, tuple(stage.name for stage in base))
    subnet = pool_subnet(config, testing.proposals)
    each = subnet.tested * pool_share(config)
    # any shard may draw it
    space = SubnetSpace.whole(config.teacher_pool.space, CLASSES)
    largest = architecture_cost(space.architecture(space.largest), testing.proposals)
    memory = testing_memory(largest, config.evaluation.batch_size, config.run.precision)
    statistics = config.teacher_pool.recalibration.images
    judged = min(front.val_images or images.validated, images.validated)

    def stage(name: str, evaluated: float, after: str, waves: int = 1, jobs: int = 1) -> Planned:
        return Planned(
            name=name,
            method=METHOD,
            compute=each * evaluated,
            gpus=1,
            memory=memory,
            published=0.0,
            work=0.0,
            after=(after,),
            waves=waves,
            jobs=jobs,
        )

    share = front.population / front.shards
    yield stage(
        "evaluate_subnets", share * (judged + statistics), after, front.generations, front.shards
    )
    yield stage(
        "take_front", front.population * (images.evaluated + statistics), "evaluate_subnets"
    )
