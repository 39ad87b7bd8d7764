"""Run the whole chain once with each of `run.seeds`, and draw what the results have in common.

    python -m pipeline.seeds --cores 2 --configfile my.yaml

Options are those of `snakemake`, which is started once a seed, one after another, and at the end once more
for the report of the run itself. `results/<name>/` is the run of `run.seed`; another seed's is
`results/<name>_seed_<seed>/`, a run as any other, which shares the first one's data. The same command goes on
where it was stopped. With `-n` nothing runs, and nothing is written but the configs of the other seeds' runs,
in `results/<name>/seeds/`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from pipeline.config.files import load_config_files
from pipeline.config.root import Config
from pipeline.console import run_program
from pipeline.errors import DetSearchError

RESULTS = Path("results")
CONFIGFILE = "--configfile"
DRY_RUN = frozenset(("-n", "-np", "-pn", "--dry-run", "--dryrun"))
RECORDS = (".json", ".jsonl", ".lock")
"""Ends of files that stages write anew or add to, in place: each run has its own."""


def main(
    argv: list[str] | None = None,
    start: Callable[[Sequence[str]], int] = lambda command: subprocess.run(command).returncode,
) -> None:
    """Run the command line; `start` runs a command and returns its exit code."""
    given = sys.argv[1:] if argv is None else argv
    if "-h" in given or "--help" in given:
        print(__doc__)
        return
    try:
        files, options = config_files(given)
        run_seeds(load_config_files(files), files, options, start)
    except DetSearchError as error:
        sys.exit(f"seeds: {error}")


def config_files(given: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The config files among Snakemake's options, and the others.

    Raises:
        DetSearchError: a value is given on the command line, which would hide the seed's own.
    """
    files: list[Path] = []
    options: list[str] = []
    into = options
    for word in given:
        name, _, value = word.partition("=")
        if name in ("--config", "-C"):
            raise DetSearchError(
                f"{name} is not taken: write its values into a file of {CONFIGFILE}"
            )
        if name in (CONFIGFILE, "--configfiles"):
            files += [Path(value)] if value else []
            into = options if value else files
        else:
            into = options if word.startswith("-") else into
            into.append(Path(word) if into is files else word)  # type: ignore[arg-type]
    return files, options


def run_seeds(
    config: Config,
    files: Sequence[Path],
    options: Sequence[str],
    start: Callable[[Sequence[str]], int],
) -> None:
    """Start Snakemake for each seed, that of the run itself first and last.

    Raises:
        DetSearchError: the config states no seeds, or a run stopped.
    """
    own, names = config.run.seed, config.run.seed_runs()
    if not names:
        raise DetSearchError("the config states no seeds: write run: {seeds: [0, 1, 2]}")
    if "front" in config.run.methods:
        raise DetSearchError("run.methods: [front] has no report, which would compare the seeds")
    others = [seed for seed in names if seed != own]
    for seed in (own, *others, own):
        above = list(files)
        if seed != own:
            above.append(seed_config(RESULTS / config.run.name / "seeds", names[seed], seed))
            if not DRY_RUN.intersection(options):
                share_data(RESULTS / config.run.name / "data", RESULTS / names[seed] / "data")
        print(f"Seed {seed}: {RESULTS / names[seed]}", flush=True)
        configured = [CONFIGFILE, *map(str, above)] if above else []
        if code := start([sys.executable, "-m", "snakemake", *options, *configured]):
            raise DetSearchError(
                f"the run of seed {seed} stopped with exit code {code}: the same command goes on"
            )


def seed_config(folder: Path, name: str, seed: int) -> Path:
    """Write what a seed's run has of its own, as a config file on top of the others; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"seed_{seed}.yaml"
    path.write_text(yaml.safe_dump({"run": {"name": name, "seed": seed, "seeds": []}}))
    return path


def share_data(source: Path, target: Path) -> None:
    """Give a run the data of another one, which have no seed of the run in them; images as second names.

    Nothing happens where the run has data already, or the other none. What does not fit the config is made
    anew by the run.
    """
    if target.exists() or not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copytree(
        source, half, copy_function=_share, symlinks=True, ignore=shutil.ignore_patterns("work*")
    )
    half.rename(target)


def _share(source: str, target: str) -> None:
    if not source.endswith(RECORDS):
        try:
            os.link(source, target)
            return
        except OSError:  # a file system without second names
            pass
    shutil.copy2(source, target)


if __name__ == "__main__":
    run_program("seeds", main)
