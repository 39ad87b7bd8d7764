"""Batch statistics measured anew: against a mean computed by hand, and without a trace elsewhere."""

from typing import Any

import pytest
import small_shape
import torch
from mmdet.structures import DetDataSample
from torch import Tensor

from pipeline.config.detector import TestingConfig as Selection
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.recalibration import recalibrate
from pipeline.errors import DetSearchError
from pipeline.hit_detector.spaces import Operations, supernet_architecture
from pipeline.search_space.architecture import COMPONENTS

SHAPE = small_shape.SHAPE.model_copy(update={"input_size": (64, 64)})


@pytest.fixture
def model() -> Any:
    """A detector with norms in the backbone, the neck and the RoI head."""
    torch.manual_seed(0)
    operations: dict[str, Operations] = dict.fromkeys(map(str, COMPONENTS), "conv_k3_d1")
    architecture = supernet_architecture(SHAPE, 3, (1, 1, 1, 1), operations)
    return build_detector(architecture, Surroundings(testing=Selection(proposals=10)))


def _batches(*sizes: int) -> list[dict[str, list[Any]]]:
    generator = torch.Generator().manual_seed(0)
    meta = {"img_shape": (64, 64), "ori_shape": (64, 64), "scale_factor": (1.0, 1.0)}
    return [
        {
            "inputs": [
                torch.randint(0, 256, (3, 64, 64), generator=generator, dtype=torch.uint8)
                for _ in range(size)
            ],
            "data_samples": [DetDataSample(metainfo=dict(meta)) for _ in range(size)],
        }
        for size in sizes
    ]


def _statistics(model: Any) -> dict[str, Tensor]:
    return {name: b.clone() for name, b in model.state_dict().items() if "running" in name}


@torch.no_grad()
def test_statistics_are_the_mean_over_the_images(model: Any) -> None:
    batches = _batches(3, 1, 4)
    images = model.data_preprocessor(batches[0], False)["inputs"]
    # the third batch is cut: 3, 1 and 2 images
    cut = [*(batch["inputs"] for batch in batches[:2]), batches[2]["inputs"][:2]]
    mean = torch.zeros(4)
    variance = torch.zeros(4)
    for inputs in cut:
        images = model.data_preprocessor(
            {"inputs": inputs, "data_samples": [DetDataSample() for _ in inputs]}, False
        )["inputs"]
        first = model.backbone.stem[0](images).transpose(0, 1).flatten(1)
        mean += first.mean(1) * len(inputs) / 6
        variance += first.var(1) * len(inputs) / 6
    before = _statistics(model)
    recalibrate(model, batches, 6)
    norm = model.backbone.stem[1]
    torch.testing.assert_close(norm.running_mean, mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(norm.running_var, variance, rtol=1e-4, atol=1e-4)
    after = _statistics(model)
    assert {name.split(".")[0] for name in after} == {"backbone", "neck", "roi_head"}
    assert all(not torch.equal(after[name], before[name]) for name in after)


def test_it_is_repeatable_and_leaves_everything_else(model: Any) -> None:
    model.train()
    model.neck.train(False)
    modes = [module.training for module in model.modules()]
    parameters = {name: value.clone() for name, value in model.named_parameters()}
    random_state = torch.get_rng_state()
    recalibrate(model, _batches(2, 2), 4)
    first = _statistics(model)
    recalibrate(model, _batches(2, 2, 2), 4)
    assert all(torch.equal(value, first[name]) for name, value in _statistics(model).items())
    assert [module.training for module in model.modules()] == modes
    assert {module.momentum for module in model.modules() if hasattr(module, "momentum")} == {0.1}
    assert all(torch.equal(value, parameters[name]) for name, value in model.named_parameters())
    assert torch.equal(torch.get_rng_state(), random_state)


def test_too_few_images_are_an_error_and_modes_return(model: Any) -> None:
    model.train()
    with pytest.raises(DetSearchError, match="over 5 images, but there are only 4"):
        recalibrate(model, _batches(2, 2), 5)
    assert all(module.training for module in model.modules())
