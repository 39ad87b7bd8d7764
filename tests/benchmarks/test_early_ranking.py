"""The benchmark of early rankings: what it reads of curves, and a ranking counted by hand."""

import subprocess
import sys

import pytest

from benchmarks.early_ranking import measured, taus
from pipeline.artifacts.files import write_json


def _network(folder, number, ap, losses):
    records = [{"iteration": 10 * (k + 1), "loss": loss} for k, loss in enumerate(losses)]
    place = folder / "ablations/ground_truth" / str(number)
    write_json(
        place / "detector/history.json", {"records": [*records, {"iteration": 20, "AP": ap}]}
    )
    write_json(place / "evaluation/metrics.json", {"AP": ap, "macs": number, "params": 7 + number})
    return place


def test_a_falling_loss_ranks_as_pairs_say(tmp_path):
    given = [(0.3, (2.0, 1.0)), (0.1, (1.9, 1.3)), (0.2, (1.8, 1.2)), (0.4, (1.7, 0.9))]
    places = [_network(tmp_path, k, ap, losses) for k, (ap, losses) in enumerate(given)]
    found = taus([ap for ap, _ in given], [measured(place) for place in places])
    # of six pairs at iteration 10: (0,1), (0,2) against, the other four for it
    assert found["detector", 10, "loss"] == pytest.approx((4 - 2) / 6)
    assert found["detector", 20, "loss"] == 1.0
    assert found["detector", 20, "AP"] == 1.0

    command = [sys.executable, "-m", "benchmarks.early_ranking", str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "4 networks, AP 0.100 to 0.400" in shown
    assert any(line.split() == ["detector", "10", "loss", "0.33"] for line in shown.splitlines())
