"""The published table of architectures: what it says of their costs is what they cost."""

import csv
from collections import Counter

from workflow_project import ROOT

from benchmarks.ground_truth import read_table
from pipeline.config.files import load_config_files
from pipeline.detection.complexity import detector_complexity
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import COMPONENTS

TABLE = ROOT / "benchmarks/data/embedded_ground_truth.csv"
CLASSES = 10


def test_its_rows_are_different_trainings_of_sixty_architectures() -> None:
    with TABLE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert Counter(int(row["seed"]) for row in rows) == {0: 60, 1: 16}
    assert len({row["version"] for row in rows}) == len(rows)
    assert all(0 < float(row["AP"]) < float(row["AP50"]) < 1 for row in rows)
    operations = {tuple(row[part] for part in COMPONENTS) for row in rows}
    assert len(operations) == len(read_table(TABLE)) == 60


def test_costs_are_those_of_the_built_networks() -> None:
    config = load_config_files([ROOT / "config/examples/ground_truth.yaml"])
    shape = config.supernet
    plain = {str(component): "conv_k3_d1" for component in COMPONENTS}
    for truth in read_table(TABLE)[::20]:
        left = {component: iter(truth.operations[component]) for component in COMPONENTS}
        network = supernet_architecture(shape, CLASSES, shape.depth, plain).with_operations(
            lambda component, name, block, left=left: next(left[component])
        )
        assert all(next(rest, None) is None for rest in left.values())
        cost = detector_complexity(network, config.testing.proposals).total
        assert (cost.macs, cost.params) == (truth.macs, truth.params)
