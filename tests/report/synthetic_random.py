"""The comparison with random networks of a made-up run: a table, and what two networks found."""

from collections.abc import Mapping
from pathlib import Path

from made_up_metrics import manifest

from pipeline.artifacts.files import write_json
from pipeline.report.random_section import COMPARED, RANDOM
from pipeline.report.random_study import STUDY


def add_random(
    folder: Path,
    accuracies: Mapping[str, tuple[float, float]],
    macs: Mapping[str, int] | None = None,
) -> None:
    """Add it to a run's folder.

    folder: of the run.
    accuracies: AP with two seeds, by the network's name: `searched`, `random_<n>`, `plain`.
    macs: by the same names.
    """
    networks = [
        {
            "name": name,
            "kind": name.partition("_")[0],
            "macs": (macs or {}).get(name, 9),
            "params": 9,
            "AP": ap,
            "AP50": ap,
        }
        for name, ap in accuracies.items()
    ]
    write_json(folder / RANDOM / STUDY, {"format": 1, "networks": networks})
    (folder / RANDOM / "manifest.json").write_bytes(manifest(1.0).content())
    for evaluation in COMPARED.values():
        detections = folder / evaluation / "detections.json"
        if not detections.exists():
            write_json(detections, [])
