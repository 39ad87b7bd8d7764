"""The search over a planted objective: it finds the front that exhaustive enumeration finds, in any order."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from front_space import SPACE

from pipeline.config.front import FrontConfig
from pipeline.errors import DetSearchError
from pipeline.front.breeding import bred
from pipeline.front.members import front_of
from pipeline.front.records import Evaluated, Generation, Shard, points
from pipeline.front.selection import dominates
from pipeline.teacher_pool.space import Subnet


def planted(subnet: Subnet) -> Evaluated:
    """Cost grows with every knob; accuracy too, but for the neck, which only costs: it must be narrow."""
    depth, width = sum(subnet.depths), sum(subnet.widths)
    area = np.prod(subnet.resolution) / 64**2
    cost = area * (depth * width + 20 * subnet.neck_width)
    return Evaluated(
        subnet=subnet, ap=float(1 - 1 / (1 + area * depth + width)), macs=int(1000 * cost)
    )


def search(settings: FrontConfig, seed: int, shards: int, shuffle: int) -> list[Generation]:
    generator = random.Random(shuffle)
    generations: list[Generation] = []
    found: list[Shard] = []
    for number in range(settings.generations + 1):
        former = generations[-1] if generations else None
        last = number == settings.generations
        generations.append(bred(SPACE, former, found, settings, number, seed, last=last))
        wave = generations[-1].offspring
        found = [
            Shard(evaluated=tuple(map(planted, wave[shard::shards]))) for shard in range(shards)
        ]
        generator.shuffle(found)
    return generations


def hypervolume(front: Sequence[Evaluated], most: float) -> float:
    """The area that a front dominates, up to a cost and down to AP 0."""
    area, ap, right = 0.0, 0.0, most
    for each in sorted(front, key=lambda one: -one.cost):
        area += (right - each.cost) * each.ap if each.cost < most else 0.0
        right, ap = min(each.cost, most), each.ap
    assert ap >= 0
    return area


def test_the_search_comes_near_the_front_of_the_whole_space_and_nearer_than_chance() -> None:
    whole = front_of([planted(subnet) for subnet in SPACE])
    most = max(each.cost for each in whole)
    settings = FrontConfig(population=24, generations=10)
    last = search(settings, 0, 2, 0)[-1]
    assert len(last.evaluated) == len(dict.fromkeys(each.subnet for each in last.evaluated)) == 240
    assert not last.offspring
    rng = np.random.default_rng(0)
    drawn = front_of([planted(SPACE.sample(rng)) for _ in range(240)])
    best, found, chance = (
        hypervolume(one, most) for one in (whole, front_of(last.evaluated), drawn)
    )
    assert 0.97 * best < found <= best
    assert found - chance > (best - chance) / 2


def test_shards_in_any_order_and_number_give_the_same_generations() -> None:
    settings = FrontConfig(population=6, generations=3, shards=1)
    once = search(settings, 3, 1, 0)
    assert once == search(settings, 3, 3, 1) == search(settings, 3, 2, 7)
    assert once != search(settings, 4, 1, 0)


def test_the_first_generation_holds_the_ends_of_the_space() -> None:
    first = bred(SPACE, None, [], FrontConfig(), 0, 0, last=False).offspring
    assert first[:2] == (SPACE.smallest, SPACE.largest) and len(set(first)) == 24


def test_no_member_of_a_front_is_dominated() -> None:
    last = search(FrontConfig(population=8, generations=3), 1, 2, 0)[-1]
    front = front_of(last.evaluated)
    rows = points(front)
    assert not any(dominates(one, other) for one in rows for other in rows)
    assert [each.cost for each in front] == sorted(each.cost for each in front)


def test_a_lost_shard_is_told() -> None:
    settings = FrontConfig(population=4)
    first = bred(SPACE, None, [], settings, 0, 0, last=False)
    half = [Shard(evaluated=tuple(map(planted, first.offspring[:2])))]
    with pytest.raises(
        DetSearchError, match="generation 0 has 4 subnets, of which 2 were evaluated"
    ):
        bred(SPACE, first, half, settings, 1, 0, last=False)
