"""Random architectures of the searched one's cost."""

from collections import Counter

import pytest

from pipeline.config.supernet import SupernetConfig
from pipeline.detection.complexity import detector_complexity
from pipeline.errors import DetSearchError
from pipeline.hit_detector.random_networks import random_network
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import COMPONENTS, Architecture

SHAPE = SupernetConfig(
    input_size=(64, 64),
    channels=(8, 8, 16, 16),
    depth=(1, 1, 2, 1),
    neck_channels=16,
    rpn_channels=16,
    head_blocks=2,
    head_fc_channels=32,
    roi_size=3,
)
SPACES = {
    "backbone": ("ir_k3_d1_e3", "sep_k5_d1", "conv_k3_d1", "ir_k5_d1_e6"),
    "neck": ("sep_k3_d1", "sep_k5_d1", "conv_k3_d1"),
    "head": ("sep_k3_d1", "conv_k3_d1"),
}
PROPOSALS = 20


def searched(operation: str = "conv_k3_d1", shape: SupernetConfig = SHAPE) -> Architecture:
    return supernet_architecture(shape, 3, shape.depth, dict.fromkeys(COMPONENTS, operation))


def drawn(number: int, tolerance: float = 0.05, **changes) -> Architecture:
    given = {"searched": mixed(), "spaces": SPACES, "draws": 20_000, "seed": 0, **changes}
    return random_network(
        given["searched"],
        given["spaces"],
        PROPOSALS,
        tolerance=tolerance,
        draws=given["draws"],
        seed=given["seed"],
        number=number,
    )


def mixed() -> Architecture:
    """A network in the middle of the space."""
    counts = dict.fromkeys(COMPONENTS, 0)

    def choose(component, name, block):
        counts[component] += 1
        return SPACES[component][counts[component] % len(SPACES[component])]

    return searched().with_operations(choose)


def operations(network: Architecture) -> list[str]:
    return [str(b.operation) for c in COMPONENTS for b in network.blocks(c).values()]


@pytest.mark.parametrize("family", ["faster_rcnn", "retinanet"])
def test_its_cost_is_the_searched_ones_within_the_tolerance(family):
    shape = SHAPE.model_copy(update={"family": family})
    network = searched("conv_k3_d1", shape)
    target = detector_complexity(network, PROPOSALS).total.macs
    spaces = dict.fromkeys(COMPONENTS, ("conv_k3_d1", "ir_k5_d1_e6", "ir_k3_d1_e6"))
    for number in range(3):
        found = drawn(number, tolerance=0.2, searched=network, spaces=spaces)
        macs = detector_complexity(found, PROPOSALS).total.macs
        assert found.provenance["macs"] == macs
        assert abs(macs - target) <= 0.2 * target
        assert found.provenance["number"] == number
        assert found.provenance["searched_macs"] == target


def test_networks_follow_from_seed_and_number():
    first, again, other, reseeded = drawn(0), drawn(0), drawn(1), drawn(0, seed=1)
    assert first == again
    assert len({tuple(operations(each)) for each in (first, other, reseeded)}) == 3
    for component in COMPONENTS:
        for block in first.blocks(component).values():
            assert block.operation in SPACES[component]


def test_layers_are_drawn_uniformly_among_operations_of_one_cost():
    """Dilation costs nothing, so nothing is rejected: 15 layers of 20 networks, three operations."""
    space = ("conv_k3_d1", "conv_k3_d2", "conv_k3_d3")
    spaces = dict.fromkeys(COMPONENTS, space)
    networks = [drawn(number, searched=searched(), spaces=spaces) for number in range(20)]
    assert all(network.provenance["draw"] == 1 for network in networks)
    counts = Counter(name for network in networks for name in operations(network))
    total = sum(counts.values())
    assert total == 20 * 15
    # chi-squared with two degrees of freedom: 13.8 is passed once in a thousand
    assert sum((counts[name] - total / 3) ** 2 / (total / 3) for name in space) < 13.8


def test_where_nothing_costs_as_much_it_says_what_to_change():
    spaces = dict.fromkeys(COMPONENTS, ("sep_k3_d1", "conv_k3_d1"))
    with pytest.raises(DetSearchError, match=r"none of 50 .* nearest .* ablations\.random\.tol"):
        drawn(0, tolerance=1e-9, searched=searched(), spaces=spaces, draws=50)
