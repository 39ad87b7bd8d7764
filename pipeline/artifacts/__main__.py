"""Look at what a run has published.

verify    compare every published file of a run with the digest in its manifest
lineage   which config, code, inputs and seed made an artifact
history   the versions that an artifact had, their metrics, and what changed from one to the next
digests   the digest of every result of a run; with --against, how they differ from another run's
code      the files that a stage's fingerprint covers, and what it imports that decides no result
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.artifacts.check import check_run, repair
from pipeline.artifacts.comparison import LEFT_OUT, differences, digest_of_all, result_digests
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.fingerprint import ROOT, imported_modules, named_files
from pipeline.artifacts.history import Version, changes, flat, load_history
from pipeline.artifacts.lineage import artifact_folders, lineage
from pipeline.artifacts.manifest import Manifest
from pipeline.artifacts.no_result import DECIDES_NO_RESULT
from pipeline.console import run_program
from pipeline.errors import DetSearchError

STALE = 3
"""Exit code of `verify` where all files are as published, and some were made from other inputs."""


def verify_command(folder: Path) -> int:
    """Print what is missing, altered or stale in a run, and what repairs it.

    Returns:
        1 if something is not as published; `STALE` if something is stale and nothing else is wrong.
    """
    check = check_run(folder)
    for problem in check.problems:
        print(problem)
    for sentence in check.stale:
        print(sentence)
    for sentence in check.absent:
        print(sentence)
    print(
        f"{len(check.artifacts)} artifacts, {check.files} files: "
        + (f"{len(check.problems)} problems" if check.problems else "all as published")
        + (f", {len(check.stale)} stale" if check.stale else "")
    )
    if check.problems:
        print(
            "To repair: delete manifest.json of an artifact that is named; the next snakemake makes it, and"
            " what was made from it, again"
        )
    if check.to_repair:
        print(repair(check.to_repair))
    return 1 if check.problems else STALE if check.stale else 0


def lineage_command(folder: Path, with_config: bool) -> int:
    """Print an artifact and all it was made from, each input below what uses it."""
    shown: set[str] = set()
    for depth, name, path, made in lineage(folder):
        indent = "  " * depth
        label = f"{name}: " if name else ""
        if not isinstance(made, Manifest):
            print(f"{indent}{label}{path}: {made}")
            continue
        again = made.version in shown
        shown.add(made.version)
        print(f"{indent}{label}{path}" + ("  (as above)" if again else ""))
        if again:
            continue
        print(f"{indent}  version {made.version}, stage {made.stage}, seed {made.seed}")
        print(f"{indent}  code {made.code or 'untracked'}, detsearch {made.packages['detsearch']}")
        print(f"{indent}  made {made.created} on {made.device} in {made.wall_seconds} s")
        if with_config:
            print(f"{indent}  config {json.dumps(made.config, ensure_ascii=False)}")
    return 0


def history_command(folder: Path) -> int:
    """Print the versions of the artifact in a folder, and of every artifact below it; 1 if one has none."""
    code = 0
    for path in artifact_folders(folder) or [folder]:
        try:
            versions = load_history(path)
        except ArtifactError as error:
            print(f"artifacts history: {error}", file=sys.stderr)
            code = 1
            continue
        print(path)
        before: Version | None = None
        for version in versions:
            manifest = version.manifest
            print(
                f"  {manifest.created}  {version.version[:19]}  seed {manifest.seed}"
                f"  {manifest.wall_seconds} s  {_metrics(version)}".rstrip()
            )
            if before:
                for change in changes(before, version) or ["nothing: the same was made again"]:
                    print(f"    changed: {change}")
            before = version
    return code


def digests_command(run: Path, other: Path | None) -> int:
    """Print the digests of a run's results, or how they differ from another run's; 1 if they do."""
    digests = result_digests(run)
    if other is None:
        for path, digest in digests.items():
            print(f"{path}  {digest}")
        print(f"all {len(digests)} results  {digest_of_all(digests)}")
        return 0
    found = differences(digests, result_digests(other))
    for sentence in found:
        print(sentence)
    print(f"{len(digests)} results: " + (f"{len(found)} differences" if found else "all the same"))
    return int(bool(found))


def code_command(stage: str) -> int:
    """Print the files of a stage's fingerprint with their lines, and those that are left out."""
    module = f"pipeline.stages.{stage}"
    covered = imported_modules(module)
    everything = imported_modules(module, left_out={})
    files = [file for path in covered.values() for file in (path, *named_files(path))]
    counts = {file: len(file.read_bytes().splitlines()) for file in files}
    for file, count in counts.items():
        print(f"{count:5}  {file.relative_to(ROOT)}")
    print(f"{sum(counts.values()):5}  lines in {len(counts)} files decide the results of {stage}")
    print("Left out, since it decides no result:")
    for name, path in everything.items():
        if name not in covered:
            entry = DECIDES_NO_RESULT.get(name)
            why = entry.why if entry else "Only what is left out imports it."
            print(f"{len(path.read_bytes().splitlines()):5}  {path.relative_to(ROOT)}: {why}")
    return 0


def _metrics(version: Version) -> str:
    numbers = [
        (key, value)
        for metrics in version.metrics.values()
        for key, value in flat(metrics).items()
        if isinstance(value, float) and "." not in key
    ]
    return "  ".join(f"{key} {value:.4f}" for key, value in numbers)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 1 where something is not as it was published, 3 if stale."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.artifacts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command, text in (
        ("verify", "a run, such as results/embedded, or any folder in it"),
        ("lineage", "an artifact's folder, such as results/embedded/hit_detector/detector"),
        ("history", "an artifact's folder, or one around several"),
        ("digests", "a run, such as results/embedded, or any folder in it"),
    ):
        sub = commands.add_parser(command, epilog=LEFT_OUT if command == "digests" else None)
        sub.add_argument("folder", type=Path, help=text)
        if command == "lineage":
            sub.add_argument("--config", action="store_true", help="print each stage's config too")
        if command == "digests":
            sub.add_argument("--against", type=Path, metavar="RUN", help="a run to compare with")
    commands.add_parser("code").add_argument("stage", help="such as search or train_detector")
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "code":
            return code_command(arguments.stage)
        folder = arguments.folder
        for path in (folder, getattr(arguments, "against", None)):
            if path is not None and not path.is_dir():
                raise DetSearchError(f"{path} is no folder")
        if arguments.command == "verify":
            return verify_command(folder)
        if arguments.command == "lineage":
            return lineage_command(folder, arguments.config)
        if arguments.command == "digests":
            return digests_command(folder, arguments.against)
        return history_command(folder)
    except DetSearchError as error:
        print(f"artifacts {arguments.command}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    run_program("artifacts", main)
