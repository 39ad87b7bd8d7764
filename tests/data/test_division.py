"""Splits cut from one file: shares, classes, the same images in whatever order."""

import random
from collections.abc import Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.own_detection import SplitName
from pipeline.data.division import DivisionError, divide

SHARES = st.sampled_from(
    [{"val": 0.2}, {"val": 0.2, "test": 0.2}, {"test": 0.3}, {"val": 0.5, "test": 0.4}]
)
IMAGES = st.lists(st.frozensets(st.integers(0, 5), max_size=3), min_size=4, max_size=60)


def named(labels: list[frozenset[int]]) -> dict[str, frozenset[int]]:
    return {f"{number}.png": found for number, found in enumerate(labels)}


def counted(
    places: Mapping[str, str], labels: dict[str, frozenset[int]], part: str
) -> dict[int, int]:
    found: dict[int, int] = {}
    for unit, place in places.items():
        for label in labels[unit] if place == part else ():
            found[label] = found.get(label, 0) + 1
    return found


@given(IMAGES, SHARES, st.integers(0, 3), st.randoms(use_true_random=False))
def test_any_images_are_divided_by_share_with_every_class_in_train_whatever_their_order(
    labels: list[frozenset[int]], shares: dict[SplitName, float], seed: int, chance: random.Random
) -> None:
    images = named(labels)
    try:
        places = divide(images, shares, seed)
    except DivisionError:
        # only where images with objects are few, or no class has a second one to give
        members = [unit for unit in images if images[unit]]
        assert len(members) < 15
        return
    assert places.keys() == images.keys()
    shuffled = list(images.items())
    chance.shuffle(shuffled)
    assert divide(dict(shuffled), shares, seed) == places
    assert counted(places, images, "train").keys() == set().union(*labels)
    for part, share in shares.items():
        size = sum(place == part for place in places.values())
        assert size >= 1
        # at most one image of each of six classes, which another split had to have
        assert abs(size - share * len(images)) <= 1 + 6


@given(IMAGES)
def test_a_class_of_two_images_is_in_train_and_val_wherever_a_division_can_have_it_so(
    labels: list[frozenset[int]],
) -> None:
    """Against all divisions of the images that hold a class, where these are few enough to list."""
    images = named(labels)
    holding = [unit for unit in images if images[unit]]
    if not 2 <= len(holding) <= 7:
        return
    twice = {label for label in range(6) if sum(label in images[unit] for unit in images) >= 2}

    def satisfied(places: Mapping[str, str]) -> int:
        parts = [counted(places, images, part).keys() for part in ("train", "val")]
        return len(twice & parts[0] & parts[1]) if parts[0] >= set().union(*labels) else -1

    possible = max(
        satisfied(dict(zip(holding, places, strict=True)))
        for places in product(("train", "val"), repeat=len(holding))
    )
    try:
        found = satisfied(divide(images, {"val": 0.2}, 0))
    except DivisionError:
        found = 0
    assert found >= possible - 1
    # images of one class each are no puzzle
    if all(len(found_in) <= 1 for found_in in labels):
        assert found == possible


def test_classes_have_their_share_in_every_split() -> None:
    """200 images of three classes, 120 + 60 + 20, some without: each split has its share to the image."""
    images = {f"a{n}": frozenset({1}) for n in range(120)}
    images |= {f"b{n}": frozenset({2}) for n in range(60)}
    images |= {f"c{n}": frozenset({3}) for n in range(20)}
    images |= {f"d{n}": frozenset() for n in range(100)}
    places = divide(images, {"val": 0.2, "test": 0.1}, 5)
    assert counted(places, images, "val") == {1: 24, 2: 12, 3: 4}
    assert counted(places, images, "test") == {1: 12, 2: 6, 3: 2}
    sizes = [sum(place == part for place in places.values()) for part in ("train", "val", "test")]
    assert sizes == [210, 60, 30]
    others = {tuple(divide(images, {"val": 0.2}, seed).items()) for seed in range(3)}
    assert len(others) == 3


@pytest.mark.parametrize(
    ("images", "shares", "told"),
    [
        ({"a": {1}, "b": set(), "c": set()}, {"val": 0.3}, "1 of the 3 images have objects"),
        (
            {"a": {1}, "b": {1}},
            {"val": 0.3, "test": 0.3},
            "too few to divide into train, val, test",
        ),
        ({"a": {1}, "b": {2}, "c": {3}}, {"val": 0.3}, "no image with an object is left for val"),
        ({"a": {1}, "b": {1}}, {"val": 0.9}, "2 for val leave none for train"),
    ],
)
def test_what_cannot_be_divided_says_why(images, shares, told) -> None:
    labels = {name: frozenset(found) for name, found in images.items()}
    with pytest.raises(DivisionError, match=told):
        divide(labels, shares, 0)
