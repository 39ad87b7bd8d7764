"""The space against the paper's count, its own enumeration, and the standard networks inside it."""

import itertools
import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.teacher_pool import PoolSpace, ShrinkingPhase
from pipeline.search_space.architecture import Architecture
from pipeline.search_space.standard import resnet_backbone
from pipeline.teacher_pool.detector import subnet_complexity
from pipeline.teacher_pool.space import DEPTHS, KNOBS, WIDTHS, Subnet, SubnetSpace
from pipeline.zoo.architectures import zoo_architecture

PAPER = SubnetSpace.whole(PoolSpace(), classes=80)
SMALL = SubnetSpace.whole(
    PoolSpace(
        base_channels=4,
        least_depths=(1, 1, 2, 1),
        greatest_depths=(1, 2, 4, 1),
        widths=(1.0, 1.5),
        resolutions=((96, 96), (64, 64)),
    ),
    classes=3,
)
SEEDS = st.integers(0, 2**32)


def test_the_paper_s_ranges_hold_roughly_765000_networks() -> None:
    assert PAPER.size() == (2 * 3 * 22 * 2) * 3**5 * 12 == 769_824
    first = list(itertools.islice(PAPER, 3))
    assert first[0] == PAPER.smallest and first[0].depths == (2, 2, 2, 2)
    assert PAPER.largest.depths == (3, 4, 23, 3) and set(PAPER.largest.widths) == {1.5}


def test_enumeration_lists_every_subnet_once() -> None:
    listed = list(SMALL)
    assert len(listed) == len(set(listed)) == SMALL.size() == 2 * 3 * 2**5 * 2
    assert (listed[0], listed[-1]) == (SMALL.smallest, SMALL.largest)
    assert all(subnet in SMALL for subnet in listed)
    assert SMALL.largest.resolution == (96, 96)


def test_sampling_is_uniform() -> None:
    rng = np.random.default_rng(0)
    draws = 3840
    counts = Counter(SMALL.sample(rng) for _ in range(draws))
    expected = draws / SMALL.size()
    chi_square = sum((counts[subnet] - expected) ** 2 / expected for subnet in SMALL)
    # 383 degrees of freedom: mean 383, standard deviation 27.7
    assert abs(chi_square - 383) < 4 * math.sqrt(2 * 383)


@given(SEEDS)
def test_a_seed_draws_the_same_and_a_member_of_the_space(seed: int) -> None:
    one, other = (PAPER.sample(np.random.default_rng(seed)) for _ in range(2))
    assert one == other and one in PAPER
    assert Subnet.model_validate(json.loads(one.model_dump_json())) == one


def _changed(one: Subnet, other: Subnet) -> set[str]:
    return {name for name in KNOBS if one.knobs[name] != other.knobs[name]}


@given(SEEDS, st.floats(0.05, 1))
def test_mutations_stay_inside_and_change_what_they_say(seed: int, probability: float) -> None:
    rng = np.random.default_rng(seed)
    start = PAPER.sample(rng)
    assert len(_changed(start, PAPER.mutate(start, rng))) == 1
    backbone = PAPER.mutate(start, rng, probability=probability, knobs=DEPTHS + WIDTHS)
    changed = _changed(start, backbone)
    assert backbone in PAPER and changed and changed <= {*DEPTHS, *WIDTHS}
    assert _changed(start, PAPER.mutate(start, rng, probability=1.0)) == set(KNOBS)


def test_mutation_skips_knobs_with_one_choice_and_refuses_to_change_nothing() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert _changed(SMALL.largest, SMALL.mutate(SMALL.largest, rng)) <= set(KNOBS) - {
            "depth1",
            "depth4",
        }
    with pytest.raises(ValueError, match="one choice of depth1"):
        SMALL.mutate(SMALL.largest, rng, knobs=("depth1",))
    with pytest.raises(ValueError, match=r"in \(0, 1\], not 0"):
        SMALL.mutate(SMALL.largest, rng, probability=0)
    with pytest.raises(ValueError, match=r"depth1 is 3, allowed: 1; depth2 is 4, allowed: 1, 2"):
        SMALL.mutate(PAPER.largest, rng)


def test_subnets_of_one_width_are_the_standard_networks() -> None:
    for depths, standard in (((3, 4, 6, 3), 50), ((3, 4, 23, 3), 101)):
        for width, base in ((1.0, 64), (1.5, 96)):
            subnet = Subnet(
                depths=depths,
                widths=(width, width, width, width),
                neck_width=1.0,
                resolution=(1333, 800),
            )
            backbone = PAPER.architecture(subnet).backbone
            assert backbone == resnet_backbone(standard, base_channels=base)
    basic = SubnetSpace.whole(PoolSpace(block="basic"), classes=80)
    smallest = basic.architecture(basic.smallest)
    assert smallest.backbone == resnet_backbone(18)
    r18 = zoo_architecture("fpn_r18")
    same = {"input_size": r18.input_size, "provenance": r18.provenance}
    assert smallest.model_copy(update=same) == r18


def test_a_subnet_costs_what_the_paper_says() -> None:
    """Table 4's ResNet-50 row: 215.8 GFLOPs at 1333 × 800, in the papers' counting."""
    subnet = Subnet(
        depths=(3, 4, 6, 3), widths=(1.0, 1.0, 1.0, 1.0), neck_width=1.0, resolution=(1333, 800)
    )
    cost = subnet_complexity(PAPER, subnet, 1000, background_boxes=True)
    assert round(cost.total.paper_flops / 1e9, 1) == 215.8


def test_an_architecture_carries_its_subnet(tmp_path) -> None:
    subnet = SMALL.sample(np.random.default_rng(5))
    SMALL.architecture(subnet).save(tmp_path / "architecture.json")
    read = Architecture.load(tmp_path / "architecture.json")
    assert read == SMALL.architecture(subnet)
    assert Subnet.model_validate(read.provenance["subnet"]) == subnet
    assert read.input_size == subnet.resolution[::-1]


def test_a_phase_is_a_part_of_the_space() -> None:
    phase = ShrinkingPhase(least_depths=(3, 4, 22, 3), widths=(1.25, 1.5))
    part = SubnetSpace.of_phase(PAPER.shape, 80, phase)
    assert part.size() == 2 * 2**5 * 12
    assert part.largest == PAPER.largest
    assert all(subnet in PAPER for subnet in itertools.islice(part, 0, None, 37))
    assert part.architecture(part.smallest) == PAPER.architecture(part.smallest)
