"""AP of exported detectors in ONNX Runtime beside that of PyTorch, on the split of their evaluation.

    PYTHONPATH=. .venv/bin/python -m benchmarks.exported_ap \
        results/<run>/hit_detector results/<run>/joint_detnas/student …

Each folder holds a `detector/` and its `evaluation/`. A detector is exported by `pipeline.export` with its
checks, and the ONNX file alone finds the objects of every image of the split. The two numbers should differ
by less than a tenth of a point of AP: equal pixels, other kernels.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.artifacts.files import read_json
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.deploy.accuracy import exported_metrics
from pipeline.deploy.session import OnnxDetector

WITHIN = 0.001
"""A tenth of a point of AP."""


def main() -> None:
    """Run the command line; exit code 1 where a detector is further off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", type=Path, nargs="+", help="folders of a run")
    parser.add_argument("--data", type=Path, help="data/detection of the run; else found above")
    arguments = parser.parse_args()
    worst = 0.0
    print("| detector | family | split, images | AP PyTorch | AP ONNX | difference | AP50 |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for number, network in enumerate(arguments.networks):
            expected = read_json(network / "evaluation/metrics.json")
            data = arguments.data or _data_above(network)
            exported = export(network / "detector", Path(folder) / f"{number}.onnx")
            split = DatasetIndex.load(data / FILE_NAME).split(expected["split"])
            found = exported_metrics(exported, split)
            difference = found["AP"] - expected["AP"]
            worst = max(worst, abs(difference))
            print(
                f"| {network.name} | {exported.about.family} | {expected['split']}, "
                f"{expected['images']} | {expected['AP']:.5f} | {found['AP']:.5f} | "
                f"{difference:+.5f} | {found['AP50']:.5f} |",
                flush=True,
            )
    sys.exit(worst > WITHIN)


def export(detector: Path, path: Path) -> OnnxDetector:
    """The detector as an ONNX file, by the command that users give."""
    command = [sys.executable, "-m", "pipeline.export", str(detector), "--onnx", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return OnnxDetector(path)


def _data_above(network: Path) -> Path:
    for parent in network.resolve().parents:
        if (data := parent / "data/detection").is_dir():
            return data
    sys.exit(f"{network} lies in no run: give --data")


if __name__ == "__main__":
    main()
