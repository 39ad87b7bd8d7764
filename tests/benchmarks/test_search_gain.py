"""The benchmark of the search's gain: a table read from files, and shuffled labels counted by hand."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.search_gain import Trial, control, standard_error
from pipeline.artifacts.files import write_json


def test_shuffled_labels_gain_nothing_and_the_best_of_all_is_as_rare_as_it_is() -> None:
    first = Trial(0.5, (0.2, 0.3, 0.4), None)
    second = Trial(0.6, (0.1, 0.3), None)
    assert first.gain == pytest.approx(0.2) and first.gains()[0] == pytest.approx(first.gain)
    gains = control([first, second])
    # 4 x 3 ways; each run's best was searched in one of them alone
    assert len(gains) == 12
    assert gains.mean() == pytest.approx(0)
    assert np.isclose(gains, (0.2 + 0.4) / 2).sum() == 1 and gains.max() == pytest.approx(0.3)
    # variances 0.01 and 0.02, of a mean's difference from one more draw
    assert standard_error([first, second]) == pytest.approx(
        np.sqrt(0.01 * (1 + 1 / 3) + 0.02 * (1 + 1 / 2)) / 2
    )
    # too many ways to count: drawn
    many = control([first] * 10)
    assert len(many) == 100_000 and many.mean() == pytest.approx(0, abs=0.002)


def test_the_table_is_read_from_runs(tmp_path: Path) -> None:
    for run, values in (("a", (0.5, 0.2, 0.3, 0.4)), ("b", (0.6, 0.1, 0.3))):
        places = ["hit_detector", *(f"ablations/random/{k}" for k in range(len(values) - 1))]
        for place, value in zip(places, values, strict=True):
            write_json(tmp_path / run / place / "evaluation/metrics.json", {"AP": value})
    write_json(tmp_path / "a/ablations/plain/evaluation/metrics.json", {"AP": 0.35})
    command = [sys.executable, "-m", "benchmarks.search_gain", tmp_path / "a", tmp_path / "b"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[1].split() == ["a", "0.500", "0.300", "0.100", "0.400", "3", "0.350", "+0.200"]
    assert lines[2].split() == ["b", "0.600", "0.200", "0.141", "0.300", "2", "-", "+0.400"]
    assert lines[4] == "gain +0.3000" and "p 0.0833" in lines[7]
    # gains 0.2 and 0.4: deviation 0.1414 over the root of 2; t of one degree of freedom is 12.706
    assert "standard error 0.1000, 3.0 of them" in lines[5]
    assert "interval -0.9706 to +1.5706" in lines[5]
    assert f"standard error {np.sqrt(0.01 * (1 + 1 / 3) + 0.02 * 1.5) / 2:.4f}" in lines[6]
