"""The benchmark of rankings: tables as `hit_ground_truth` writes them, and what a ranking is worth."""

import csv
import math
from pathlib import Path

import pytest

from benchmarks.ground_truth import Truth, read_table
from benchmarks.ranking import architecture_of, log_probability, top_tenth
from pipeline.config.files import load_config_files
from pipeline.hit_detector.spaces import search_architecture
from pipeline.search_space.architecture import COMPONENTS

ROOT = Path(__file__).parents[2]
SPACE = ("conv_k3_d1", "sep_k3_d1")


def test_several_trainings_of_a_network_are_one_row(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["network", "seed", "macs", "params", "AP", *COMPONENTS])
        for network, seed, ap in ((4, 1, 0.3), (7, 0, 0.1), (4, 0, 0.2)):
            writer.writerow([network, seed, 10, 20, ap, "a b", "c", "d"])
    assert read_table(path) == [
        Truth(4, {"backbone": ["a", "b"], "neck": ["c"], "head": ["d"]}, 10, 20, (0.2, 0.3)),
        Truth(7, {"backbone": ["a", "b"], "neck": ["c"], "head": ["d"]}, 10, 20, (0.1,)),
    ]


def test_the_top_tenth_is_rounded_up_and_counts_what_is_in_both() -> None:
    truth = [float(number) for number in range(20)]
    assert top_tenth(truth, truth) == 1.0
    assert top_tenth(truth, [-value for value in truth]) == 0.0
    # 19 is found, 18 is not
    assert top_tenth(truth, [*truth[:18], 0.5, 19.0]) == 0.5
    assert top_tenth(truth[:11], [0.0] * 10 + [1.0]) == 0.5


def test_a_row_is_scored_by_the_product_of_its_probabilities() -> None:
    shape = load_config_files([ROOT / "config/test.yaml"]).supernet
    supernet = search_architecture(shape, dict.fromkeys(COMPONENTS, SPACE))
    layers = {component: list(supernet.blocks(component)) for component in COMPONENTS}
    # the second operation in the first layer of each component, the first in the others
    operations = {
        component: [SPACE[place == 0] for place in range(len(names))]
        for component, names in layers.items()
    }
    network = architecture_of(Truth(0, operations, 1, 1, (0.5,)), supernet)
    scores = {
        "components": {
            component: {
                "operations": list(SPACE),
                "layers": [{"name": name, "probabilities": [0.75, 0.25]} for name in names],
            }
            for component, names in layers.items()
        }
    }
    others = sum(len(names) - 1 for names in layers.values())
    expected = 3 * math.log(0.25) + others * math.log(0.75)
    assert log_probability(network, scores) == pytest.approx(expected)
