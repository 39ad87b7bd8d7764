"""A copy of the project, in which tests run Snakemake and edit files."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from warm_python import warm_python

ROOT = Path(__file__).parents[2]
PARTS = (
    *("Snakefile", "rules", "config", "envs", "pipeline", "profiles", "slurm"),
    "pyproject.toml",
)


class Project:
    """A copy of the project, in which tests may run Snakemake and edit files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "results" / "test"

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake on the smallest config; returns what it printed."""
        here = "--profile" not in arguments
        python = warm_python() if here else sys.executable
        if here and "-n" in arguments:
            python = str(Path(python).with_name("python"))
        command = [python, "-m", "snakemake", *arguments]
        if here:
            command += ["--cores", "2"]
        if "--configfile" not in arguments:
            command += ["--configfile", "config/test.yaml"]
        return subprocess.run(
            command,
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    def stale(self, *arguments: str) -> dict[str, int]:
        """Rules that a dry run would run, with the number of their jobs; targets left out."""
        result = self.snakemake("-n", *arguments)
        assert result.returncode == 0, result.stdout
        if "Nothing to be done" in result.stdout:
            return {}
        table = result.stdout.split("Job stats:")[-1].split("total")[0]
        jobs = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}
        return {name: count for name, count in jobs.items() if name != "all"}

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text that occurs once in a file."""
        path = self.folder / name
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new))


def copy_project(folder: Path) -> Project:
    """Copy what a run needs, without results."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    return Project(folder)
