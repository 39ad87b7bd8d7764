"""How well ways to rank architectures agree with their trainings: Kendall's tau, and the top tenth.

    PYTHONPATH=. .venv/bin/python -m benchmarks.ranking results/<run>

The run is one whose search used the table's sub search spaces, as with
`snakemake hit_ground_truth hit_detector --configfile config/examples/ground_truth.yaml`; the table is what
`hit_ground_truth` wrote there, or `--table FILE`. Several trainings of an architecture count by their mean.
Ways to rank:

- alpha: the sum over layers of the log probability that the search gave to the architecture's operation;
- one-shot loss, one-shot AP: of the searched supernet restricted to the architecture, with batch
  statistics of its own, on images of the validation split;
- MACs, parameters: the more the better;
- gradient norm: of the detector's loss on a batch, at initialisation (a proxy without training);
- seed: the second training of an architecture against the first: what no ranking can be better than.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from scipy.stats import kendalltau

from benchmarks.ground_truth import Truth, read_table
from pipeline.artifacts.files import read_json
from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.config.detector import DetectorConfig, Normalization, TestingConfig
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.builder import Surroundings, build_detector, register_modules
from pipeline.detection.dataset import build_dataset
from pipeline.detection.loss import detection_loss
from pipeline.hit_detector.one_shot import OneShotScorer, load_scorer
from pipeline.search_space.architecture import COMPONENTS, Architecture, Block
from pipeline.training.seeding import seed_everything

TABLE = Path("tables/hit_ground_truth/hit_ground_truth.csv")
"""Of a run."""


def top_tenth(truth: Sequence[float], scores: Sequence[float]) -> float:
    """Share of the best-scored tenth that is in the truly best tenth; a tenth is rounded up."""
    count = math.ceil(len(truth) / 10)

    def best(values: Sequence[float]) -> set[int]:
        return set(sorted(range(len(values)), key=lambda k: -values[k])[:count])

    return len(best(truth) & best(scores)) / count


def architecture_of(truth: Truth, supernet: Architecture) -> Architecture:
    """The network of a row.

    Raises:
        ValueError: the supernet has other layers than the row.
    """
    chosen = {
        (component, name): operation
        for component in COMPONENTS
        for name, operation in zip(
            supernet.blocks(component), truth.operations[component], strict=True
        )
    }

    def choose(component: str, name: str, block: Block) -> str:
        return chosen[component, name]

    return supernet.with_operations(choose)


def log_probability(network: Architecture, scores: Mapping[str, Any]) -> float:
    """Sum over layers of the log probability of the network's operations, by `scores.json`."""
    total = 0.0
    for component, content in scores["components"].items():
        blocks = network.blocks(component)
        for layer in content["layers"]:
            place = content["operations"].index(str(blocks[layer["name"]].operation))
            probability = layer["probabilities"][place]
            total += math.log(probability) if probability else -math.inf
    return total


def gradient_norm(network: Architecture, around: Surroundings, batch: Any) -> float:
    """Norm of the loss's gradient at initialisation: the same seed for every network."""
    seed_everything(0, "gradient norm")
    model: Any = build_detector(network, around)
    model.train()
    loss, _ = detection_loss(model, batch)
    loss.backward()
    return math.sqrt(
        sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None)
    )


def main() -> None:
    """Print a line for each way to rank."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="results/<run>, whose search ranks the table")
    parser.add_argument("--table", type=Path, help="a ground truth's CSV file; default: the run's")
    parser.add_argument(
        "--images", type=int, default=64, help="validation images that judge a path"
    )
    parser.add_argument("--recalibration", type=int, default=4, help="batches of 8 training images")
    parser.add_argument("--ap", action="store_true", help="one-shot AP too (slower)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    register_modules()
    table = read_table(given.table or given.run / TABLE)
    search, data = given.run / "hit_detector/search", given.run / "data/detection"
    manifest = Manifest.load(search / MANIFEST)
    around = Surroundings(
        DetectorConfig.model_validate(manifest.config["detector"]),
        TestingConfig(),
        Normalization.model_validate(manifest.config["normalization"]),
    )
    supernet = Architecture.load(search / "supernet.json")
    networks = [architecture_of(each, supernet) for each in table]
    scores = read_json(search / "scores.json")

    def scorer(by: Any) -> OneShotScorer:
        return load_scorer(
            search,
            data,
            around,
            by=by,
            images=given.images,
            recalibration_batches=given.recalibration,
            batch_size=8,
            seed=manifest.seed,
        )

    index = DatasetIndex.load(data / FILE_NAME)
    training = build_dataset(index.split("train"), list(index.classes), around.detector, train=True)
    batch = pseudo_collate([training[position] for position in range(8)])
    by_loss = scorer("loss")
    ways = {
        "alpha": [log_probability(network, scores) for network in networks],
        "one-shot loss": [by_loss.score(network) for network in networks],
        "MACs": [float(each.macs) for each in table],
        "parameters": [float(each.params) for each in table],
        "gradient norm": [gradient_norm(network, around, batch) for network in networks],
    }
    if given.ap:
        by_ap = scorer("ap")
        ways["one-shot AP"] = [by_ap.score(network) for network in networks]
    truth = [fmean(each.AP) for each in table]
    print(f"{len(table)} architectures, AP {min(truth):.3f} to {max(truth):.3f}\n")
    print("| ranked by | Kendall's tau | top tenth |\n|---|---|---|")
    for way, values in ways.items():
        tau = kendalltau(truth, values).statistic
        print(f"| {way} | {tau:.3f} | {top_tenth(truth, values):.2f} |")
    twice = [each.AP for each in table if len(each.AP) > 1]
    if len(twice) > 1:
        first, second = [ap[0] for ap in twice], [ap[1] for ap in twice]
        tau = kendalltau(first, second).statistic
        print(f"| another seed ({len(twice)}) | {tau:.3f} | {top_tenth(first, second):.2f} |")


if __name__ == "__main__":
    main()
