"""A training in which no object arrives is stopped; others are left alone."""

import pytest

from pipeline.training.box_losses import BoxLosses, NoObjectsError


def test_a_whole_epoch_of_zeros_is_told() -> None:
    watch = BoxLosses("detector", 3)
    for iteration in range(3):
        watch.note(iteration, {"loss": 1.0, "loss_bbox": 0.0 if iteration else 0.1})
    watch.note(3, {"loss_bbox": 0.0, "s1.loss_bbox": 0.2})
    watch.note(4, {"loss_bbox": 0.0})
    with pytest.raises(NoObjectsError, match=r"detector: loss_bbox was exactly 0 for .* epoch 2"):
        watch.note(5, {"loss_bbox": 0.0})


def test_a_part_of_an_epoch_and_other_losses_say_nothing() -> None:
    watch = BoxLosses("detector", 3)
    for iteration in (1, 2):  # resumed within the epoch
        watch.note(iteration, {"loss_bbox": 0.0})
    for iteration in range(3, 9):
        watch.note(iteration, {"loss": 1.0, "loss_cls": 0.0, "distilled_bbox": 0.0})
