"""The halves that weights and choices are trained on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.splits import halves, image_ids


@given(
    ids=st.sets(st.integers(0, 10**12), min_size=2, max_size=200),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_halves_cover_all_images_once_whatever_their_order(ids, seed, data):
    first, second = halves(ids, seed)
    assert sorted(first + second) == sorted(ids)
    assert 0 <= len(first) - len(second) <= 1
    assert halves(data.draw(st.permutations(sorted(ids))), seed) == (first, second)


def test_halves_are_random():
    every = [halves(range(50), seed) for seed in range(200)]
    assert len({tuple(first) for first, _ in every}) == 200
    # An image is in the first half about every second time: 5 standard deviations of 200 throws.
    for image in range(50):
        assert abs(sum(image in first for first, _ in every) - 100) < 36


def test_halves_of_an_annotation_file(tmp_path):
    file = tmp_path / "train.json"
    file.write_text(json.dumps({"images": [{"id": 9}, {"id": 2}, {"id": 4}]}))
    assert image_ids(file) == [9, 2, 4]
    assert halves(file, 3) == halves([2, 4, 9], 3)


@pytest.mark.parametrize(("ids", "message"), [([1, 2, 1], "occurs twice"), ([1], "two are needed")])
def test_what_cannot_be_divided(ids, message):
    with pytest.raises(ValueError, match=message):
        halves(ids, 0)
