"""Processes of one stage: how they find one another, how they are stopped, and what their end is called."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.processes import run_together

SUM = """
import os, pathlib, torch
from pipeline.training import distributed
distributed.join(torch.device("cpu"))
ranks = torch.full((1,), 10.0 ** distributed.rank())
torch.distributed.all_reduce(ranks)
assert os.environ["LOCAL_RANK"] == str(distributed.rank())
pathlib.Path(f"sum{distributed.rank()}").write_text(str(int(ranks)))
distributed.leave()
"""


def _run(
    folder: Path, code: str, processes: int = 2, *, patience: float = 30, grace: float = 0.3
) -> int:
    (folder / "code.py").write_text(code)
    before = {
        n: signal.getsignal(n)
        for n in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGHUP)
    }
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    here = Path.cwd()
    os.chdir(folder)
    try:
        return run_together(
            [sys.executable, "code.py"], processes, environment, patience=patience, grace=grace
        )
    finally:
        os.chdir(here)
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.slow
def test_three_processes_add_up(tmp_path: Path) -> None:
    assert _run(tmp_path, SUM, 3) == 0
    assert [(tmp_path / f"sum{rank}").read_text() for rank in range(3)] == ["111"] * 3


@pytest.mark.parametrize(
    "first, second, outcome",
    [
        ("sys.exit(0)", "sys.exit(0)", 0),
        ("sys.exit(75)", "sys.exit(75)", 75),
        ("sys.exit(1)", "sys.exit(1)", 1),
        # one of two fails: the other, which waits for it, is told to stop and then killed
        ("sys.exit(3)", "time.sleep(600)", 3),
        ("time.sleep(600)", "sys.exit(3)", 3),
        ("deaf(); time.sleep(600)", "sys.exit(3)", 3),
        ("time.sleep(600)", "os.kill(os.getpid(), signal.SIGKILL)", 128 + 9),
        # all fail alike, the first a little later: it has the time to say why
        ("time.sleep(0.15); print(1, file=open('said', 'w')); sys.exit(1)", "sys.exit(1)", 1),
        # the first has saved, and what happens to another at its end is no failure
        ("sys.exit(75)", "os.kill(os.getpid(), signal.SIGTERM)", 75),
        # a failure is one, also where another stopped in order
        ("sys.exit(1)", "sys.exit(75)", 1),
    ],
)
def test_the_end_of_all(tmp_path: Path, first: str, second: str, outcome: int) -> None:
    code = f"""
import os, signal, sys, time
def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.environ["RANK"] == "0":
    {first}
else:
    {second}
"""
    assert _run(tmp_path, code) == outcome
    assert (tmp_path / "said").exists() == ("said" in first)


def test_who_does_not_end_when_told_is_killed_after_the_patience(tmp_path: Path) -> None:
    code = """
import os, pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("ready" + os.environ["RANK"]).touch()
time.sleep(600)
"""
    ended = threading.Event()

    def tell() -> None:
        while len(list(tmp_path.glob("ready*"))) < 2 and not ended.wait(0.05):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    teller = threading.Thread(target=tell)
    teller.start()
    start = time.monotonic()
    try:
        assert _run(tmp_path, code, patience=0.5) == 128 + 9
    finally:
        ended.set()
        teller.join()
    assert time.monotonic() - start > 0.5
