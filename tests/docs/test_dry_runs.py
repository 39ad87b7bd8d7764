"""Every `snakemake` command of the pages, dry-run: its targets are there, and its config makes a workflow.

Commands of the same files share a dry run. Settings given by `--config` are left out here: test_commands.py
has validated them. So are those of a profile, which say how jobs run, not which.
"""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from commands import commands, own_config, snakemake_invocation
from pages import ROOT, all_pages
from workflow_project import copy_project

pytestmark = [pytest.mark.slow, pytest.mark.workflow]

Config = tuple[tuple[str, ...], str]


def dry_runs() -> dict[Config, set[str]]:
    """Of each config (files, text of the reader's own file) the targets that pages ask for."""
    found: dict[Config, set[str]] = defaultdict(set)
    for page in all_pages():
        for command in commands(page):
            if command.words[0] == "snakemake":
                asked = snakemake_invocation(command)
                if not asked.only_parsed:
                    own = own_config(page, "my.yaml") if "my.yaml" in asked.files else ""
                    # a page that does not say what is in my.yaml means any: the default config's targets
                    files = asked.files if own or "my.yaml" not in asked.files else ()
                    found[files, own].update(asked.targets or ["all"])
    return found


def test_every_command_makes_a_workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    asked = dry_runs()
    assert sum(map(len, asked.values())) > 20
    project = copy_project(tmp_path)
    failed = []
    for (files, own), targets in asked.items():
        (project.folder / "my.yaml").write_text(own)
        arguments = ["-n", *sorted(targets), "--quiet", "all"]
        arguments += ["--configfile", *files] if files else []
        result = subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=project.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if result.returncode:
            failed.append(f"snakemake {' '.join(arguments)}\n{result.stdout[-1500:]}")
    assert not failed, "\n\n".join(failed)
