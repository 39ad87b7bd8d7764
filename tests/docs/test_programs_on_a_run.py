"""The Python of the pages about plots and mmdet, executed block by block on a finished run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import RUN_ON_A_RUN
from pages import ROOT, read_page
from workflow_project import Project

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

MADE = {
    "docs/howto/plot_results.md": ("ap_over_macs.png", "search.png"),
    "docs/howto/mmdet.md": ("drawn/vis", "work_dirs/tested", "work_dirs/trained/epoch_1.pth"),
}
"""What a page's blocks leave in the folder where they run."""


@pytest.mark.parametrize("name", RUN_ON_A_RUN)
def test_the_page_s_programs_run(name: str, finished: Project, tmp_path: Path) -> None:
    (tmp_path / "results").symlink_to(finished.folder / "results")
    blocks = [block for block in read_page(ROOT / name).blocks if block.language == "python"]
    assert len(blocks) >= 3
    for block in blocks:
        result = subprocess.run(
            [sys.executable, "-c", block.text],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(finished.folder), "MPLBACKEND": "agg"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert result.returncode == 0, f"{name}:{block.line}\n{result.stdout[-3000:]}"
    assert [made for made in MADE[name] if not (tmp_path / made).exists()] == []
