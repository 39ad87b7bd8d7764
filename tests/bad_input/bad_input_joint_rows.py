"""Rows of the table of bad inputs: the sections of Joint-DetNAS."""

from __future__ import annotations

from bad_input_row import Row, configure
from bad_input_world import CONFIG

OWN = {"config": "own.py", "checkpoint": "own.pth"}

JOINT_ROWS = (
    Row(
        "no candidate in a generation",
        configure(hill_climb={"candidates": 0}),
        CONFIG,
        ("hill_climb.candidates: Input should be greater than 0", "given: 0"),
    ),
    Row(
        "an empty top-k list",
        configure(hill_climb={"top_k": 0}),
        CONFIG,
        ("hill_climb.top_k: Input should be greater than 0", "given: 0"),
    ),
    Row(
        "more pruning generations than generations",
        configure(hill_climb={"generations": 2, "pruning_generations": 3}),
        CONFIG,
        ("hill_climb: pruning_generations is 3, but there are only 2 generations",),
    ),
    Row(
        "a pruning of most channels",
        configure(hill_climb={"percentages": [10.0, 70.0]}),
        CONFIG,
        ("hill_climb: percentages must be at most 50, not 70",),
    ),
    Row(
        "a resolution with the shortest side first",
        configure(hill_climb={"training": {"resolutions": [[600, 800]]}}),
        CONFIG,
        ("hill_climb.training: resolutions: [600, 800] must have the longest side first",),
    ),
    Row(
        "a base with a backbone that no action can change",
        configure(base_detector={"network": "hit_detector_released"}),
        CONFIG,
        ("base_detector.network: Input should be", "fpn_r18", "hit_detector_released"),
    ),
    Row(
        "a base of one stage",
        configure(base_detector={"network": "retinanet_r50"}),
        CONFIG,
        ("base_detector.network: Input should be", "retinanet_r50"),
    ),
    Row(
        "a further base of one stage",
        configure(further_bases={"retina": {"network": "retinanet_r50"}}),
        CONFIG,
        ("further_bases.retina.network: Input should be", "retinanet_r50"),
    ),
    Row(
        "costs of an own base counted between two strides",
        configure(base_detector={"source": "mmdet", "mmdet": {**OWN, "input_size": [800, 1333]}}),
        CONFIG,
        ("base_detector.mmdet: input_size must be multiples of 32", "[800, 1333]"),
    ),
    Row(
        "an own base without its files",
        configure(base_detector={"source": "mmdet"}),
        CONFIG,
        ("base_detector: source is mmdet, but there is no section `mmdet`",),
    ),
)
