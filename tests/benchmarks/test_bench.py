"""`make bench` in its short form: every part runs and prints its numbers; none fails by a time."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_part_prints_its_numbers_and_their_targets():
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.bench", "--short"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    # libraries print lines of their own
    lines = result.stdout.partition("target\n")[2].splitlines()
    numbers = [
        float(match[1]) for line in lines if (match := re.search(r"  +(-?[\d.e-]+)   \S.*$", line))
    ]
    assert len(numbers) == 10, result.stdout
    # counted exactly on tensors without values, on every machine the same
    assert numbers[0] == pytest.approx(1 / 196, rel=0.01)
    # a difference of times may be anything
    assert all(map(math.isfinite, numbers))
