"""A uniform detector with the operation of one random layer replaced (Hit-Detector, Figure 3)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import NonNegativeInt

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.publish import Content
from pipeline.config.ablations import ReplacementConfig
from pipeline.config.base import Section
from pipeline.config.supernet import SupernetConfig
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.errors import DetSearchError
from pipeline.hit_detector.ablations import replacement_layers, with_replaced
from pipeline.hit_detector.spaces import Operations, supernet_architecture
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import ARCHITECTURE, COMPONENTS, ComponentName
from pipeline.search_space.names import OperationName


class Settings(Section):
    """What the stage uses of the config, and which of the random layers it is about."""

    supernet: SupernetConfig
    replacement: ReplacementConfig
    component: ComponentName
    operation: OperationName
    draw: NonNegativeInt


def run(stage: Stage[Settings]) -> Mapping[str, Content]:
    """Publish the architecture; the layer is noted in its provenance."""
    settings, component = stage.settings, stage.settings.component
    index = DatasetIndex.load(stage.inputs["data"] / FILE_NAME)
    shape = settings.supernet
    operations: dict[str, Operations] = dict.fromkeys(COMPONENTS, settings.replacement.base)
    base = supernet_architecture(shape, len(index.classes), shape.depth, operations)
    layers = replacement_layers(base, component, settings.replacement.layers, stage.seed)
    if settings.draw >= len(layers):
        raise DetSearchError(
            f"draw {settings.draw} of the {component}: it has {len(layers)} layers"
        )
    layer = layers[settings.draw]
    replaced = with_replaced(base, component, layer, settings.operation).model_copy(
        update={
            "provenance": {"component": component, "layer": layer, "operation": settings.operation}
        }
    )
    return {ARCHITECTURE: json_bytes(replaced.model_dump(mode="json"))}


if __name__ == "__main__":
    stage_main(run, Settings, inputs=("data",))
