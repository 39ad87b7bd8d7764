"""What an exported detector says of itself, in the metadata of its file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from pipeline.errors import DetSearchError

FORMAT = 1
KEY = "detsearch_format"
"""The key by which such a file is known; the others are the fields of `ExportedDetector`."""


class NoExportError(DetSearchError):
    """A file is no detector that DetSearch exported."""


class ExportedDetector(BaseModel):
    """How an image enters the graph, what its labels mean, and how its boxes were selected."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: tuple[str, ...]
    """Their names, in the order of labels."""
    image_scale: tuple[PositiveInt, PositiveInt]
    """Longest and shortest side that an image is resized to, its proportions kept."""
    size: tuple[PositiveInt, PositiveInt] | None = None
    """Height and width that it is padded to, where the graph takes no other size."""
    mean: tuple[float, float, float]
    """Of red, green and blue, 0 to 255; taken off inside the graph."""
    std: tuple[float, float, float]
    score_threshold: float
    nms_iou: float
    detections: PositiveInt
    """At most so many of an image."""
    family: str
    """The detector's class in mmdet."""
    precision: Literal["float32", "int8"] = "float32"

    def properties(self) -> dict[str, str]:
        """As ONNX keeps them: text by key, each value JSON."""
        fields = self.model_dump(mode="json")
        return {KEY: str(FORMAT)} | {name: json.dumps(value) for name, value in fields.items()}

    @classmethod
    def of(cls, properties: Mapping[str, str], place: str) -> ExportedDetector:
        """Read the metadata of a file.

        Args:
            properties: text by key.
            place: the file, for the message.

        Raises:
            NoExportError: they are not such.
        """
        if (found := properties.get(KEY)) is None:
            raise NoExportError(
                f"{place} was not exported by DetSearch: its metadata have no {KEY}"
            )
        if found != str(FORMAT):
            raise NoExportError(f"{place} is of format {found}; this version reads {FORMAT}")
        fields: dict[str, Any] = {}
        try:
            for name in cls.model_fields:
                if name in properties:
                    fields[name] = json.loads(properties[name])
            return cls.model_validate(fields)
        except (ValidationError, ValueError) as error:
            raise NoExportError(f"{place} has damaged metadata: {error}") from error
