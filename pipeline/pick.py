"""Pick the best detector of a run's front under constraints, and write it as a folder of its own.

Without a constraint, print the front as a table.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from pipeline.artifacts.kept import discard_kept
from pipeline.artifacts.manifest import MANIFEST, Manifest, Origin, input_record, open_artifact
from pipeline.artifacts.publish import publish
from pipeline.artifacts.typed import read_as
from pipeline.console import run_program
from pipeline.errors import DetSearchError
from pipeline.front.picking import Constraints, Picked, pick
from pipeline.front.table import FRONT, Front, table_text


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.pick", description=__doc__)
    parser.add_argument("run", type=Path, help="results/<run>, after `snakemake front`")
    parser.add_argument("--max-ms", type=_positive, help="milliseconds of an image, as measured")
    parser.add_argument("--min-ap", type=_share, help="AP on val, from 0 to 1; alone: the cheapest")
    parser.add_argument("--max-gmacs", type=_positive, help="10⁹ multiply-accumulates of an image")
    parser.add_argument("--max-params", type=_positive, help="millions of parameters")
    parser.add_argument("--out", type=Path, help="the folder to write (<run>/picked)")
    arguments = parser.parse_args(argv)
    constraints = Constraints(
        arguments.max_ms, arguments.min_ap, arguments.max_gmacs, arguments.max_params
    )
    try:
        path = arguments.run / "front" / MANIFEST
        if not path.is_file():
            raise DetSearchError(f"{arguments.run} has no front: run `snakemake front` first")
        manifest = open_artifact(path)
        front = read_as(path.parent / FRONT, Front)
        print(table_text(front))
        if not constraints.any:
            return
        picked = pick(front, constraints)
        out = arguments.out or arguments.run / "picked"
        write(arguments.run, front, picked, manifest, out)
        print(f"picked: {picked.best.name}; {picked}")
        if hint := picked.hint():
            print(hint)
        print(f"{out}: detector folder, detector.onnx and MODEL_CARD.md")
    except DetSearchError as error:
        sys.exit(f"pick: {error}")


def write(run: Path, front: Front, picked: Picked, manifest: Manifest, out: Path) -> None:
    """Write the picked detector: its folder, the ONNX file, the model card.

    Raises:
        DetSearchError: something that it is made from is missing or altered, or it cannot be exported.
    """
    if out.exists() and not out.is_dir():
        raise DetSearchError(f"--out {out} is a file: name a folder")
    if out.is_dir() and any(out.iterdir()) and not _is_picked(out):
        raise DetSearchError(f"--out {out} holds something else: name another folder")
    # torch and mmdet take seconds to import: not before the arguments are known to be right
    from pipeline.front.taking import taken_files

    files = taken_files(run, front, picked, manifest)
    origin = Origin(
        stage="pick",
        config={"picked": picked.best.name},
        code=None,
        inputs={"front": input_record(run / "front" / MANIFEST, run)},
        seed=manifest.seed,
    )
    publish(out, files, origin)
    discard_kept(out)


def _is_picked(folder: Path) -> bool:
    path = folder / MANIFEST
    return path.is_file() and Manifest.load(path).stage == "pick"


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 < value < math.inf):
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return value


def _share(text: str) -> float:
    if not (value := _positive(text)) <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no AP: give a fraction up to 1, such as 0.3")
    return value


if __name__ == "__main__":
    run_program("pick", main)
