"""Sizes and lengths of a user's data, against values computed by hand."""

import pytest

from pipeline.own_config.lengths import Lengths
from pipeline.own_config.recipes import ON_CPU, ON_GPU
from pipeline.own_config.sizes import Sizes
from pipeline.own_config.survey import SizedObject, Survey


def survey_of(
    *sizes: tuple[int, int], objects: tuple[tuple[int, int, int, int], ...] = ((40, 90, 640, 480),)
) -> Survey:
    """Of images of these widths and heights, and objects: box and image, width and height of each."""
    longest, shortest = (sorted(map(side, sizes))[len(sizes) // 2] for side in (max, min))
    return Survey(
        images={"train": len(sizes), "val": 1},
        trained=len(sizes),
        classes={"cat": len(objects)},
        division=(),
        objects=[SizedObject((w * h) ** 0.5, max(a, b), min(a, b)) for w, h, a, b in objects],
        with_objects=len(objects),
        longest=longest,
        shortest=shortest,
        upright=sum(h > w for w, h in sizes) > sum(w > h for w, h in sizes),
    )


@pytest.mark.parametrize(
    ("sizes", "side", "resolutions", "input_size"),
    [
        # as in config/examples/front_bccd.yaml
        ([(640, 480)], 320, ((120, 90), (160, 120), (240, 180), (320, 240)), (256, 320)),
        ([(480, 640)], 320, ((120, 90), (160, 120), (240, 180), (320, 240)), (320, 256)),
        # longest 80, 100, 200, shortest 50, 60, 120: no image has both medians
        (
            [(100, 50), (60, 80), (200, 120)],
            320,
            ((38, 23), (50, 30), (75, 45), (100, 60)),
            (64, 128),
        ),
        # 333 · 320/1000 = 106.56; half of 107 is 53.5
        ([(1000, 333)], 320, ((120, 40), (160, 54), (240, 80), (320, 107)), (128, 320)),
        ([(48, 48)], 320, ((18, 18), (24, 24), (36, 36), (48, 48)), (64, 64)),
        ([(640, 640)], 640, ((240, 240), (320, 320), (480, 480), (640, 640)), (640, 640)),
        # a strip: less than half a pixel is one
        ([(1000, 2)], 320, ((120, 1), (160, 1), (240, 1), (320, 1)), (32, 320)),
        ([(1, 1)], 320, ((1, 1),), (32, 32)),
    ],
)
def test_resolutions_keep_the_proportion_of_the_images(
    sizes: list[tuple[int, int]],
    side: int,
    resolutions: tuple[tuple[int, int], ...],
    input_size: tuple[int, int],
) -> None:
    found = Sizes.of(survey_of(*sizes), side)
    assert found.resolutions == resolutions
    assert found.input_size == input_size


def test_objects_are_measured_as_their_images_are_resized() -> None:
    # 60 pixels in an image that is halved, 20 in one of 320 × 320 that becomes 240 × 240: 30 and 15
    survey = survey_of((640, 480), objects=((40, 90, 640, 480), (20, 20, 320, 320)))
    assert Sizes.of(survey, 320).median_object == pytest.approx(22.5)


@pytest.mark.parametrize(
    ("object_side", "side", "wanted"),
    [
        (60, 320, None),  # 30 pixels at 320
        (12, 320, 427),  # 6 at 320, and 8 at 426.7
        (8, 320, 640),
        (7, 320, None),  # not even in the image itself
        (7, 640, None),
    ],
)
def test_the_side_at_which_small_objects_are_large_enough(
    object_side: int, side: int, wanted: int | None
) -> None:
    survey = survey_of((640, 480), objects=((object_side, object_side, 640, 480),))
    assert Sizes.of(survey, side).side_for_objects == wanted


@pytest.mark.parametrize(
    ("images", "batch", "epochs"),
    [
        (205, 4, (28, 16, 9)),  # 51 steps an epoch: the reference
        (102, 4, (57, 33, 18)),  # 25: times 2.04
        (10, 4, (100, 57, 32)),  # 2: times 25.5 would be 714 epochs
        (3, 3, (100, 57, 32)),
        (5000, 4, (2, 2, 2)),  # 1,250: times 0.041
    ],
)
def test_lengths_are_those_of_the_reference_in_steps(
    images: int, batch: int, epochs: tuple[int, int, int]
) -> None:
    found = Lengths.of(ON_CPU.reference, images)
    assert (found.batch, found.base, *found.phases) == (batch, *epochs)


def test_lengths_on_a_gpu_are_those_of_its_example() -> None:
    # half of the 3,000 images, so twice the 24 epochs
    assert Lengths.of(ON_GPU.reference, 1500).phases == (48, 48)
