"""The shell around every stage: what becomes of the log decides nothing."""

import re
import subprocess
from pathlib import Path

import pytest
from workflow_project import ROOT

TEE = re.search(r'"( tee\(\) .*)"\n', (ROOT / "rules/common.smk").read_text())


def shell(command: str) -> subprocess.CompletedProcess[str]:
    assert TEE is not None
    tee = TEE[1].replace("{{", "{").replace("}}", "}").replace('\\"', '"')
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail; {tee} {command}"],
        text=True,
        capture_output=True,
        check=False,
        timeout=30,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_for_the_log_fails_no_stage() -> None:
    result = shell("echo published 2>&1 | tee /dev/full")
    assert (result.returncode, result.stdout) == (0, "published\n")


def test_a_terminal_that_is_gone_fails_no_stage_and_the_log_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "log"
    result = shell(f"(seq 20000 2>&1 | tee {log}) | head -1")
    assert result.stdout == "1\n"
    assert len(log.read_text().splitlines()) == 20000


def test_a_stage_that_fails_still_fails(tmp_path: Path) -> None:
    assert shell(f"(exit 75) 2>&1 | tee {tmp_path / 'log'}").returncode == 75
