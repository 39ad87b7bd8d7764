"""Search backbone, neck and head together (Hit-Detector, sections 3.3 and 3.4)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.artifacts.weights import WEIGHTS, save_weights
from pipeline.config.hit_detector import DifferentiableSearch, SupernetSections
from pipeline.detection.builder import Surroundings
from pipeline.detection.complexity import fill_candidate_macs
from pipeline.hit_detector.detection import SupernetData, search_supernet
from pipeline.hit_detector.operation_times import OperationTimes, fill_candidate_milliseconds
from pipeline.hit_detector.search import TrinitySearch, search_scores
from pipeline.hit_detector.spaces import SUPERNET, component_choices
from pipeline.runner.stage import Stage, stage_main
from pipeline.runner.training import history_bytes, run_training
from pipeline.search_space.architecture import COMPONENTS


class Settings(SupernetSections):
    """What the stage uses of the config."""

    search: DifferentiableSearch


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Alternate between weights and α, β, γ; publish the scores, and the supernet with its weights."""
    settings = stage.settings
    around = Surroundings(detector=settings.detector, normalization=settings.normalization)
    data = SupernetData.load(stage.inputs["data"], around, settings.search, stage.seed)
    shape, paths, classes = settings.supernet, settings.search.paths, len(data.classes)
    supernet = search_supernet(shape, stage.inputs, around, classes, paths, stage.device)
    placed = supernet.model, supernet.architecture, shape.proposals
    fill_candidate_macs(*placed)
    if settings.search.cost == "latency":
        fill_candidate_milliseconds(*placed, OperationTimes.load(stage.inputs["operation_times"]))
    task = TrinitySearch(supernet.model, settings.search, supernet.choices, data.loss, data.streams)
    history = run_training(stage, task, "search", settings.search.log_interval)
    return {
        "scores.json": json_bytes(search_scores(component_choices(supernet.model))),
        SUPERNET: json_bytes(supernet.architecture.model_dump(mode="json")),
        WEIGHTS: lambda path: save_weights(path, supernet.model.state_dict()),
        "history.json": history_bytes(history),
    }


if __name__ == "__main__":
    optional = ("supernet", "operation_times")
    stage_main(run, Settings, inputs=("data", *COMPONENTS), optional_inputs=optional)
