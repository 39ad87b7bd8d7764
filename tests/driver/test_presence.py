"""A driver that was killed blocks the next one no longer than it lives; a living one is never unlocked."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.driver import presence

APPEAR = """
import sys
from pathlib import Path
from pipeline.driver.presence import appear
print(appear(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def driver(records: Path) -> tuple[subprocess.Popen[str], int]:
    """Another driver, that lives until it is killed, and how many locks it removed."""
    process = subprocess.Popen(
        [sys.executable, "-c", APPEAR, str(records)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def lock(records: Path) -> Path:
    path = records / "locks" / "0.output.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("results/test/manifest.json\n")
    return path


def test_the_locks_of_the_dead_are_removed_and_those_of_the_living_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "PATIENCE_SECONDS", 0.2)
    first, removed = driver(tmp_path)
    assert removed == 0
    path = lock(tmp_path)
    second, removed = driver(tmp_path)
    assert (removed, path.exists()) == (0, True)
    first.kill()
    first.wait()
    third, removed = driver(tmp_path)
    assert (removed, path.exists()) == (0, True), "the second still lives: it may be its lock"
    for process in (second, third):
        process.kill()
        process.wait()
    fourth, removed = driver(tmp_path)
    assert (removed, path.exists()) == (1, False)
    fourth.kill()
    fourth.wait()


def test_what_a_driver_starts_does_not_keep_its_lock(tmp_path: Path) -> None:
    code = APPEAR.replace(
        "sys.stdin.read()",
        "import subprocess\nprint(subprocess.Popen(['sleep', '30']).pid, flush=True)",
    )
    result = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert result.stdout is not None
    result.stdout.readline()
    child = int(result.stdout.readline())
    result.wait()
    lock(tmp_path)
    after, removed = driver(tmp_path)
    after.kill()
    after.wait()
    subprocess.run(["kill", str(child)], check=True)
    assert removed == 1
