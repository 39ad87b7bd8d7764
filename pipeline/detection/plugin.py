"""What a detector's config imports: the searched modules, and safetensors as checkpoints for mmengine.

`custom_imports` in `detector/config.py` names this module, so that `mmdet.apis.init_detector` and
mmengine's `load_checkpoint` work on a detector folder in any process that can import `pipeline`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmengine.runner.checkpoint import CheckpointLoader

from pipeline.artifacts.weights import load_weights
from pipeline.detection.builder import register_modules


def load_from_safetensors(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Weights with the class names that were saved beside them, as mmengine expects a checkpoint.

    `map_location` is not used: the weights are read to the CPU, and copied into the model there.
    """
    weights, metadata = load_weights(Path(filename))
    meta = {"dataset_meta": {"classes": tuple(json.loads(metadata["classes"]))}}
    return {"state_dict": weights, "meta": meta}


# mmengine matches prefixes as regular expressions
CheckpointLoader.register_scheme(r".*\.safetensors$", load_from_safetensors, force=True)
register_modules()
