"""The subnets of the next generation: NSGA-II in ask-and-tell (Deb et al. 2002).

All that is drawn derives from the run's seed, the generation and the number of the subnet, so it does not
depend on the order in which evaluations end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.config.front import Breeding
from pipeline.errors import DetSearchError
from pipeline.front.records import Evaluated, Generation, Shard, points
from pipeline.front.selection import best_first
from pipeline.teacher_pool.space import KNOBS, Subnet, SubnetSpace
from pipeline.training.seeding import derive_seed

DRAWS = 100
"""So often a subnet that was seen before is drawn anew; then the generation is smaller."""


def bred(
    space: SubnetSpace,
    former: Generation | None,
    shards: Sequence[Shard],
    settings: Breeding,
    generation: int,
    seed: int,
    *,
    last: bool,
) -> Generation:
    """A generation, from the one before and what its subnets turned out to be.

    Args:
        space: of the pool.
        former: the generation before; `None` for the first.
        shards: the evaluations of that, in any order.
        settings: population and probabilities.
        generation: its number.
        seed: of the run.
        last: it has no children: the search has ended.

    Raises:
        DetSearchError: a subnet of the generation before was not evaluated.
    """
    if former is None:
        return Generation(offspring=first_generation(space, settings, seed))
    found = {each.subnet: each for shard in shards for each in shard.evaluated}
    if found.keys() != set(former.offspring):
        raise DetSearchError(
            f"generation {generation - 1} has {len(former.offspring)} subnets, of which "
            f"{len(found.keys() & set(former.offspring))} were evaluated"
        )
    evaluated = (*former.evaluated, *(found[subnet] for subnet in former.offspring))
    if last:
        return Generation(evaluated=evaluated)
    children = next_generation(space, evaluated, settings, generation, seed)
    return Generation(evaluated=evaluated, offspring=children)


def first_generation(space: SubnetSpace, settings: Breeding, seed: int) -> tuple[Subnet, ...]:
    """The smallest and the largest subnet, and different ones drawn at random.

    Args:
        space: of the pool.
        settings: how many.
        seed: of the run.
    """
    drawn = dict.fromkeys((space.smallest, space.largest))
    for number in range(len(drawn), settings.population):
        generator = _generator(seed, 0, number)
        _draw_new(drawn, lambda generator=generator: space.sample(generator))
    return tuple(drawn)


def next_generation(
    space: SubnetSpace,
    evaluated: Sequence[Evaluated],
    settings: Breeding,
    generation: int,
    seed: int,
) -> tuple[Subnet, ...]:
    """Children of the best subnets so far, none of which was evaluated before.

    The parents are the `population` best of all generations by rank and crowding. A child has two, each
    the better of two drawn ones, or one; each of its knobs is from either, and may mutate.

    Args:
        space: of the pool.
        evaluated: all so far.
        settings: population and probabilities.
        generation: the number of the one that is bred.
        seed: of the run.
    """
    order = best_first(points(evaluated))[: settings.population]
    parents = [evaluated[position].subnet for position in order]
    seen = dict.fromkeys(each.subnet for each in evaluated)
    before = len(seen)
    for number in range(settings.population):
        generator = _generator(seed, generation, number)
        _draw_new(seen, lambda generator=generator: child(space, parents, settings, generator))
    return tuple(seen)[before:]


def child(
    space: SubnetSpace,
    parents: Sequence[Subnet],
    settings: Breeding,
    generator: np.random.Generator,
) -> Subnet:
    """One child: binary tournaments, uniform crossover, mutation.

    Args:
        space: of the pool.
        parents: the best first.
        settings: probabilities.
        generator: its state is all that the draw depends on.
    """

    def better_of_two() -> Subnet:
        return parents[int(generator.integers(len(parents), size=2).min())]

    knobs = better_of_two().knobs
    if generator.random() < settings.crossover:
        other = better_of_two().knobs
        from_other = generator.random(len(KNOBS)) < 0.5
        knobs |= {name: other[name] for name, take in zip(KNOBS, from_other, strict=True) if take}
    mutates = generator.random(len(KNOBS)) < settings.mutation
    for name, change in zip(KNOBS, mutates, strict=True):
        others = [choice for choice in space.choices[name] if choice != knobs[name]]
        if change and others:
            knobs[name] = others[int(generator.integers(len(others)))]
    return Subnet.of(knobs)


def _draw_new(seen: dict[Subnet, None], draw: Callable[[], Subnet]) -> None:
    """Add a subnet that is not there yet; none where a small space hardly holds another."""
    for _ in range(DRAWS):
        if (subnet := draw()) not in seen:
            seen[subnet] = None
            return


def _generator(seed: int, generation: int, number: int) -> np.random.Generator:
    return np.random.default_rng(derive_seed(seed, "front", generation, number))
