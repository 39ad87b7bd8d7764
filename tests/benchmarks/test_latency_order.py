"""The order of latencies in two measurements: pairs counted by hand, and swaps that the spread explains."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from benchmarks.latency_order import Swap, holds, spread_over, swaps, tau, text, verdict
from pipeline.deploy.latency import ModelLatency
from pipeline.errors import DetSearchError
from pipeline.front.table import Accuracy, Row


def _times(medians: Sequence[float], spreads: Sequence[float]) -> list[ModelLatency]:
    return [
        ModelLatency(
            model="abcdefghij"[number],
            median=median,
            lower_quartile=median - spread / 4,
            upper_quartile=median + 3 * spread / 4,
            least=median / 2,
            runs=5,
        )
        for number, (median, spread) in enumerate(zip(medians, spreads, strict=True))
    ]


FIRST = _times([1, 2, 4, 8], [0.5] * 4)


def test_a_swap_beyond_the_spread_of_either_measurement_breaks_the_line() -> None:
    # of six pairs one is the other way round: (5 - 1) / 6
    for spreads, within in ([0.5, 0.25, 2, 0.5], True), ([0.5, 0.25, 0.75, 0.5], False):
        first, second = _times([1, 2, 4, 8], [0, 2, 0, 0]), _times([1, 4, 3, 8], spreads)
        assert tau(first, second) == pytest.approx(4 / 6)
        (swap,) = swaps(first, second)
        assert swap == Swap(("b", "c"), (2.0, 1.0), (2.0, spreads[2]))
        assert swap.within == within == holds(first, second)
        shown = text(first, second)
        assert "tau 0.667, pairs that swap: 1" in shown
        assert f"{'within' if within else 'BEYOND'} the spread" in shown
        assert verdict(first, second).startswith(
            f"the order differs by {'no more' if within else 'more'} than the spread;"
        )
        rows = [line.split("|") for line in shown.splitlines() if line.startswith("| b")]
        assert [[cell.strip() for cell in row][1:] for row in rows] == [
            ["b", "2.000 [1.500, 3.500]", "2", "4.000 [3.938, 4.188]", "3", ""]
        ]
    # the widest spread of a measurement does not stand for one in which it is not
    narrow = _times([1, 2, 4, 8], [0.1] * 4)
    assert not holds(narrow, _times([1, 4, 3, 8], [9.0] * 4))


def test_equal_orders_hold_and_so_does_one_swap_of_forty_five_whatever_its_spread() -> None:
    assert swaps(FIRST, FIRST) == [] and tau(FIRST, FIRST) == 1 and holds(FIRST, FIRST)
    ten = [float(k) for k in range(1, 11)]
    other = [2.0, 1.0, *ten[2:]]
    first, second = _times(ten, [0.0] * 10), _times(other, [0.0] * 10)
    assert tau(first, second) == pytest.approx(43 / 45) and holds(first, second)
    assert verdict(first, second).startswith("the order is the same: tau is at least 0.9; ")
    # three of forty-five: 39 / 45 is less than 0.9
    third = _times([3.0, 2.0, 1.0, *ten[3:]], [0.0] * 10)
    assert len(swaps(first, third)) == 3 and not holds(first, third)


def test_a_measurement_beside_other_programs_is_called_one() -> None:
    quiet, busy = ([_times([10, 20], [share * 10, share * 20])] * 2 for share in (0.0625, 0.625))
    assert verdict(*quiet).endswith("the spread is 6 % and 6 % of the latency")
    assert verdict(quiet[0], busy[0]).endswith(
        "the spread is 6 % and 62 % of the latency: the machine was not quiet, so this says little"
    )


def _row(name: str, kind: str, macs: int) -> Row:
    accuracy = Accuracy(ap=0.1, ap50=0.2)
    return Row.model_validate(
        {"name": name, "kind": kind, "resolution": (64, 64), "val": accuracy, "test": None}
        | {"val_without": (), "params": 1, "macs": macs}
    )


def test_members_are_subnets_from_the_cheapest_to_the_dearest() -> None:
    rows = [_row(f"subnet_{k}", "subnet", 100 - k) for k in range(13)]
    rows.append(_row("base", "stock", 1))
    chosen = [row.macs for row in spread_over(rows, 10)]
    assert chosen[0] == 88 and chosen[-1] == 100 and len(chosen) == 10
    assert chosen == sorted(set(chosen))
    assert max(b - a for a, b in pairwise(chosen)) == 2
    assert len(spread_over(rows, 99)) == 13
    with pytest.raises(DetSearchError, match="have no order"):
        spread_over(rows[-2:], 10)
