"""What test_shared_evaluation.py starts, alone or twice: a detector is evaluated, and what came out."""

import json
import sys
from pathlib import Path

import torch
from training_process import AROUND, make_task

from pipeline.data.embedded_sources import CLASSES
from pipeline.data.index import SplitPaths
from pipeline.detection.dataset import build_dataset
from pipeline.detection.evaluation import detect, validate
from pipeline.training import distributed
from pipeline.training.seeding import seed_everything


def main(data: Path, out: Path) -> None:
    """Evaluate twelve images in batches of five; every process writes what it has."""
    torch.set_num_threads(1)
    distributed.join(torch.device("cpu"))
    seed_everything(3)
    task = make_task("training", data)
    split = SplitPaths(data / "annotations/train.json", data / "images/train")
    dataset = build_dataset(split, list(CLASSES), AROUND.detector, train=False)
    classified = make_task("classification", data)
    classified.sampled = False
    content = {
        "detections": detect(task.model, dataset, 5, workers=1),
        "metrics": validate(task.model, dataset, split.annotations, task.settings),
        "accuracy": classified.validate(),
    }
    (out / f"{distributed.rank()}.json").write_text(json.dumps(content))
    distributed.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
