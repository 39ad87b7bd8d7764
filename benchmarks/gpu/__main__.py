"""Try this code on a GPU: the same numbers as on the CPU, a whole run, and how fast it is.

    python -m benchmarks.gpu --out results/gpu

It prints as it goes, and leaves gpu.json and gpu.md. The exit code is 1 where something is wrong. README.md
beside this file says more.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from benchmarks.gpu.candidate import candidate
from benchmarks.gpu.chain import chain
from benchmarks.gpu.evaluation import evaluation
from benchmarks.gpu.layers import layers
from benchmarks.gpu.models import register_modules
from benchmarks.gpu.parity import parity
from benchmarks.gpu.report import Report
from benchmarks.gpu.runner import Part, chosen, default_folder, parse_limits, run_parts
from benchmarks.gpu.screening import screening
from benchmarks.gpu.throughput import throughput
from benchmarks.gpu.versions import versions
from benchmarks.gpu.waits import waits

PARTS: dict[str, Part] = {
    "versions": Part(versions, 30),
    "chain": Part(chain, 210, beside=True),
    "parity": Part(parity, 150),
    "waits": Part(waits, 40),
    "screening": Part(screening, 190),
    "layers": Part(layers, 70),
    "candidate": Part(candidate, 40),
    "evaluation": Part(evaluation, 40),
    "throughput": Part(throughput, 5),
}
"""In this order. The chain runs beside the parity and the waits, which time nothing, and beside the
screening's first step, which takes long; what is timed waits for its end."""
TOTAL = 470.0
"""Seconds of all parts."""


def main(argv: Sequence[str] | None = None, parts: Mapping[str, Part] = PARTS) -> int:
    """Run the command line; returns the exit code.

    Args:
        argv: the arguments; by default this process's.
        parts: that there are.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=default_folder(), help="folder of the report")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to try it on a CPU")
    parser.add_argument("--only", nargs="+", default=[], metavar="PART", help=", ".join(parts))
    parser.add_argument("--without", nargs="+", default=[], metavar="PART")
    parser.add_argument(
        "--limit",
        nargs="+",
        default=[],
        metavar="PART=SECONDS",
        help="by default " + ", ".join(f"{name}={part.limit:g}" for name, part in parts.items()),
    )
    parser.add_argument("--total", type=float, default=TOTAL, help="seconds of all parts")
    given = parser.parse_args(argv)
    try:
        wanted = chosen(parts, given.only, given.without)
        limits = parse_limits(given.limit, parts)
    except ValueError as error:
        parser.error(str(error))
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error(
            "torch sees no GPU; with --device cpu --tiny the check can be tried without one"
        )
    device = torch.device(given.device)
    report = Report(given.out, {"device": given.device, "tiny": given.tiny})
    problems = run_parts(wanted, report, device, tiny=given.tiny, limits=limits, total=given.total)
    for problem in problems:
        report.say("WRONG", problem)
    report.say(f"{given.out / 'gpu.json'} and {given.out / 'gpu.md'} are written")
    return 1 if problems else 0


if __name__ == "__main__":
    # the byte code of mmdet is worth keeping: each stage of the chain is a process that imports it
    sys.dont_write_bytecode = False
    register_modules()
    # what is imported stays: to look through it again after every row takes long
    gc.freeze()
    sys.exit(main())
