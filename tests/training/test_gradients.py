"""Gradients of two processes are averaged in buckets: those that both have, one has, and nobody has."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_each_gradient_is_the_mean_over_the_processes(tmp_path: Path) -> None:
    here = Path(__file__)
    launched = ["pipeline.launch", "0", "2", "10", "averaging_process", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", *launched],
        env={**os.environ, "PYTHONPATH": f"{here.parents[2]}:{here.parent}"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    assert first["gradients"] == {
        "both": [1.5, 1.5],
        # of the pass before the last
        "early": [1.5, 1.5],
        # one process has none: it counts as zero
        "first": [5.0, 5.0],
        "second": [5.0, 5.0],
        "square": [[[[0.0, 1.5], [3.0, 4.5]], [[6.0, 7.5], [9.0, 10.5]]]],
        "nobody": None,
        "fixed": None,
    }
    # the last weight's bucket goes at once; the others hold weights that this pass did not use
    assert first["buckets"] > 2
    assert first["sent while computed"] == 1
    assert first["strides"] == [8, 1, 4, 2], "an optimiser wants a weight and its gradient alike"
