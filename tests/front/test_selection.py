"""NSGA-II's selection against fronts worked out by hand."""

import numpy as np

from pipeline.front.selection import best_first, crowding, non_dominated, ranks

POINTS = np.array(
    [
        [1.0, 9.0],  # a: an end of the front
        [3.0, 5.0],  # b: on the front
        [6.0, 4.0],  # c: on the front
        [9.0, 1.0],  # d: the other end
        [3.0, 6.0],  # e: b is better in one, as good in the other
        [9.0, 9.0],  # f: worse than all but a in one
        [3.0, 5.0],  # g: as b
        [7.0, 6.0],  # h: e dominates it, too
    ]
)


def test_ranks_are_those_found_by_hand() -> None:
    assert ranks(POINTS).tolist() == [0, 0, 0, 0, 1, 3, 0, 2]


def test_crowding_is_the_half_perimeter_of_the_neighbours_box() -> None:
    # range 8 in both: b between a and c, c between b and d
    found = crowding(POINTS[:4])
    assert found[[0, 3]].tolist() == [np.inf, np.inf]
    np.testing.assert_allclose(found[1:3], [5 / 8 + 5 / 8, 6 / 8 + 4 / 8])


def test_the_best_come_first_by_rank_then_by_distance() -> None:
    # of rank 0, in the order a b g c d by the first objective and d c b g a by the second: b has the
    # sides 3 - 1 and 5 - 4, g 6 - 3 and 9 - 5, c 9 - 3 and 5 - 1
    assert best_first(POINTS) == [0, 3, 2, 6, 1, 4, 7, 5]


def test_the_front_holds_one_of_equal_points_by_rising_cost() -> None:
    assert non_dominated(POINTS) == [0, 1, 2, 3]
    # the other way round g comes before b: rows 1 of h, g, f, e, d, c, b, a
    assert non_dominated(POINTS[::-1]) == [7, 1, 5, 4]


def test_one_point_and_no_point() -> None:
    assert non_dominated(np.zeros((1, 2))) == [0]
    assert non_dominated(np.zeros((0, 2))) == [] == best_first(np.zeros((0, 2)))
