"""The benchmark of early rankings: what it reads of curves, and a ranking counted by hand."""

import subprocess
import sys

import numpy as np
import pytest

from benchmarks.early_ranking import interval, measured, taus, trained_again
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
    found = [line.split() for line in shown.splitlines()]
    assert any(line[:4] == ["detector", "10", "loss", "0.33"] for line in found)


def test_second_trainings_are_held_against_the_tables_first_ones(tmp_path):
    first, second = [0.3, 0.1, 0.2, 0.4], [0.31, 0.12, 0.35, 0.3]
    with (tmp_path / "table.csv").open("w", newline="") as file:
        file.write("network,seed,macs,params,AP,backbone,neck,head\n")
        for seed, values in enumerate((first, second)):
            for k, ap in enumerate(values):
                file.write(f"{k},{seed},{100 + k},{9 - k},{ap},conv_k3_d1,conv_k3_d1,conv_k3_d1\n")
    for k, ap in enumerate(second[:3]):
        write_json(
            tmp_path / f"ablations/again/1/ablations/ground_truth/{k}/detector/history.json",
            {"records": [{"iteration": 20, "AP": ap}]},
        )
    ranked = trained_again(tmp_path, tmp_path / "table.csv")
    # the fourth was not trained again in this run
    assert [(each.AP, each.macs, each.params) for each in ranked] == [
        (0.3, 100, 9),
        (0.1, 101, 8),
        (0.2, 102, 7),
    ]
    found = taus([each.AP for each in ranked], [each.curves for each in ranked])
    # (0, 1) and (1, 2) agree; (0, 2) does not
    assert found == {("detector", 20, "AP"): pytest.approx(1 / 3)}


def test_the_interval_is_narrow_where_the_order_is_the_same():
    assert interval([1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 5.0, 9.0]) == (1.0, 1.0)
    rng = np.random.default_rng(1)
    low, high = interval(list(rng.random(30)), list(rng.random(30)))
    # tau of 30 unrelated values has a standard deviation of sqrt(2 (2 n + 5) / (9 n (n - 1))) = 0.129
    assert 0.3 < high - low < 0.8
