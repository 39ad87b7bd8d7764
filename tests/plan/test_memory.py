"""The memory that the plan reckons, against the live tensors of real steps."""

from typing import Any

import pytest
import torch
from small_plan import CLASSES, DEPTH, OPERATIONS, SHAPE
from torch import nn

from pipeline.config.run import Computing
from pipeline.detection.builder import build_backbone
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.plan.cost import Footprint, TrainingCost
from pipeline.plan.live import LiveBytes, without_gradients_of
from pipeline.plan.network import Component, backbone_cost, derived, kept_bytes, sum_of
from pipeline.plan.planned import training_memory
from pipeline.search_space.architecture import COMPONENTS
from pipeline.training.computing import computed


def test_kept_bytes_are_those_of_the_backward_pass() -> None:
    """A convolution keeps its input of 2 · 3 · 4 · 4 numbers, a ReLU its output of 2 · 5 · 4 · 4."""
    with torch.device("meta"):
        module = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU())
        image = torch.empty(2, 3, 4, 4)
    with kept_bytes(module) as kept:
        module(image)
    assert kept() == 4 * (2 * 3 * 4 * 4 + 2 * 5 * 4 * 4)


def test_the_plan_keeps_what_the_real_supernet_keeps() -> None:
    """Of one image, beside the few numbers that batch normalisation keeps of each channel."""
    architecture = supernet_architecture(
        SHAPE, CLASSES, DEPTH, dict.fromkeys(COMPONENTS, OPERATIONS)
    )
    model = build_backbone(architecture)
    images = torch.zeros(2, 3, 256, 256)
    with kept_bytes(model) as kept:
        model(images)
    cost = backbone_cost(SHAPE, DEPTH, Component(OPERATIONS, 3, 3), 256, CLASSES)
    assert cost.whole.kept == pytest.approx(kept() / 2, rel=0.02)


def test_memory_holds_weights_gradients_moments_and_activations() -> None:
    network = TrainingCost(Footprint(params=10, macs=0, kept=100), in_flight=20)
    assert training_memory(network, 4, "sgd") == 4 * 10 * 3 + 4 * 120
    assert training_memory(network, 4, "adamw") == 4 * 10 * 4 + 4 * 120


def test_live_bytes_are_those_of_the_tensors_that_are_there_at_once() -> None:
    """Of 100 numbers: a, its double and its square are alive together; then what is needed no more goes."""
    with torch.device("meta"), LiveBytes() as live:
        first = torch.empty(100)
        second = first * 2
        del first
        assert live.now == 400
        third = second.view(10, 10).square()
        assert (live.now, live.peak) == (800, 800)
        del second, third
    assert (live.now, live.peak) == (0, 800)


@pytest.mark.parametrize("largest", ["ir_k3_d1_e6", "ir_k5_d3_e6"])
@pytest.mark.parametrize("execution", ["store", "recompute"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_plan_s_memory_is_that_of_a_real_step(
    precision: Any, execution: Any, largest: str
) -> None:
    """Forward and backward pass of a supernet on the CPU, every tensor that is alive counted.

    A dilated depthwise convolution takes its map apart, on a GPU as here.
    """
    operations = (largest, *OPERATIONS)
    architecture = supernet_architecture(
        SHAPE, CLASSES, DEPTH, dict.fromkeys(COMPONENTS, operations)
    )
    model = build_backbone(architecture, execution=execution)
    images = torch.zeros(2, 3, 256, 256)
    with (
        computed(Computing(precision=precision)),
        without_gradients_of(model),
        LiveBytes() as live,
    ):
        sum_of(model(images)).backward()
    shape = SHAPE.model_copy(update={"execution": execution})
    cost = backbone_cost(shape, DEPTH, Component(operations, 4, 4), 256, CLASSES)
    counted = training_memory(cost, 2, "sgd", precision) - training_memory(cost, 0, "sgd")
    # taking apart costs more at the borders of these small maps than on those that the plan measures
    assert counted == pytest.approx(live.peak, rel=0.15 if "d3" in largest else 0.1)
    assert cost.in_flight > 0.05 * cost.whole.kept


def test_what_a_validation_holds_is_what_a_real_forward_pass_holds() -> None:
    """Of a network with one operation: no gradients, so that maps go as soon as they are used."""
    operation = "ir_k3_d1_e6"
    architecture = supernet_architecture(
        SHAPE, CLASSES, DEPTH, dict.fromkeys(COMPONENTS, operation)
    )
    model = build_backbone(architecture).eval()
    with torch.no_grad(), LiveBytes() as live:
        model(torch.zeros(2, 3, 256, 256))
    cost = backbone_cost(SHAPE, DEPTH, derived((operation, "ir_k3_d1_e3")), 256, CLASSES)
    assert cost.looking == pytest.approx(live.peak / 2, rel=0.15)
    assert cost.looking < cost.whole.kept
