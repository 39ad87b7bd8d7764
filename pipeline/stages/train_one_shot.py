"""Train the weights of the search supernet with uniformly drawn candidates, for a search over its paths."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.artifacts.weights import WEIGHTS, save_weights
from pipeline.config.hit_detector import SupernetSections, SupernetTraining
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.builder import Surroundings
from pipeline.detection.dataset import build_dataset
from pipeline.hit_detector.detection import search_supernet
from pipeline.hit_detector.one_shot_training import OneShotTraining
from pipeline.hit_detector.spaces import SUPERNET
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import history_bytes, run_training
from pipeline.search_space.architecture import COMPONENTS


class Settings(SupernetSections):
    """What the stage uses of the config."""

    training: SupernetTraining


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Train on the whole training split; publish the supernet with its weights."""
    settings = stage.settings
    around = Surroundings(detector=settings.detector, normalization=settings.normalization)
    index = DatasetIndex.load(stage.inputs["data"] / FILE_NAME)
    classes = list(index.classes)
    shape, paths = settings.supernet, settings.training.paths
    supernet = search_supernet(shape, stage.inputs, around, len(classes), paths, stage.device)
    train = build_dataset(index.split("train"), classes, settings.detector, train=True)
    task = OneShotTraining(supernet.model, settings.training, train, stage.seed)
    history = run_training(stage, task, "one-shot supernet", settings.training.log_interval)
    return {
        SUPERNET: json_bytes(supernet.architecture.model_dump(mode="json")),
        WEIGHTS: lambda path: save_weights(path, supernet.model.state_dict()),
        "history.json": history_bytes(history),
    }


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data", *COMPONENTS), optional_inputs=("supernet",))
