"""The shell around every stage: what becomes of the log decides nothing, and nothing of it is lost."""

import subprocess
import time
from pathlib import Path

import pytest

from pipeline.driver.shell import GIVEN, KEPT, TEE, require_names
from pipeline.errors import DetSearchError


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail; {TEE} {GIVEN} {command}"],
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
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


def test_text_too_long_for_an_argument_comes_by_a_file(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    assert shell(f"given short {file}").stdout == "short"
    assert not file.exists()
    # made in the shell: as an argument of this command it would be too long as well
    result = shell(f"text=$(printf 'é%.0s' {{1..30000}}); given \"$text\" {file}")
    assert result.stdout == f"@{file}"
    assert file.read_text() == "é" * 30000


def test_a_log_that_snakemake_deletes_goes_on_below_what_was_logged(tmp_path: Path) -> None:
    """Snakemake deletes the log before each job, also while the first, of a dead driver, still runs."""
    log, go_on = tmp_path / "a log.txt", tmp_path / "go_on"
    waiting = f"while [ ! -e {go_on} ]; do sleep 0.02; done"
    orphan = subprocess.Popen(
        ["bash", "-c", f"{TEE} (echo step 1; {waiting}; echo step 2) | tee '{log}'"]
    )
    while not log.exists() or log.read_text() != "step 1\n":
        assert orphan.poll() is None
        time.sleep(0.01)
    log.unlink()
    waiter = subprocess.Popen(
        ["bash", "-c", f"{TEE} (echo waiting; {waiting}; sleep 1; echo taken back) | tee '{log}'"]
    )
    while not log.exists() or "waiting" not in log.read_text():
        assert waiter.poll() is None
        time.sleep(0.01)
    go_on.touch()
    assert (orphan.wait(30), waiter.wait(30)) == (0, 0)
    assert log.read_text().splitlines() == ["step 1", "waiting", "step 2", "taken back"]
    log.unlink()
    assert shell(f"echo again | tee '{log}'").returncode == 0
    assert log.read_text().splitlines()[-2:] == ["taken back", "again"]


def test_a_log_that_was_done_begins_anew(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for word in ("first", "second"):
        shell(f"echo {word} | tee {log}")
        (tmp_path / f"log{KEPT}").unlink()
        log.unlink() if word == "first" else None
    assert log.read_text() == "second\n"


@pytest.mark.parametrize(
    ("folders", "sign"),
    [
        (("/a:b", "/bin", "/w"), "':'"),
        (("/a{b", "/bin", "/w"), "'{'"),
        (("/a", "/b:in", "/w"), "':'"),
        (("/a", "/bin", "/w$"), "'$'"),
    ],
)
def test_a_folder_that_no_command_line_can_name_is_refused(
    folders: tuple[str, str, str], sign: str
) -> None:
    with pytest.raises(DetSearchError, match="for the") as refusal:
        require_names(*map(Path, folders))
    assert f"for the {sign} in its path" in str(refusal.value)
    require_names(Path("/a b"), Path("/bin{}"), Path("/w:"))
