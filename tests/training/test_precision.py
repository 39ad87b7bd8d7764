"""`run.precision`: bf16 agrees with float32, and no coordinate passes through it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from test_task import make_training
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from training_process import write_data

from pipeline.config.run import Computing
from pipeline.detection.evaluation import detect
from pipeline.detection.loss import preprocess
from pipeline.supernet.choice import ChoiceLayer
from pipeline.training.computing import computed, in_float32, in_precision
from pipeline.training.distributed import shared_batch_norm

BF16 = Computing(precision="bf16")
TRAININGS = ("classification", "training", "student", "shrinking", "screening", "search")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


class _Seen(TorchDispatchMode):
    """What kernels are given: RoIs, and the types in which they run."""

    def __init__(self) -> None:
        super().__init__()
        self.rois: list[Tensor] = []
        self.types: dict[str, set[torch.dtype]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        tensors = [each for each in args if isinstance(each, Tensor)]
        if name == "roi_align":
            self.rois.append(args[1].detach().clone())
        self.types.setdefault(name, set()).update(each.dtype for each in tensors)
        return func(*args, **(kwargs or {}))


def _step(name: str, data: Path, computing: Computing) -> tuple[dict[str, float], Tensor, _Seen]:
    """A step's record, the gradients of all weights, and what kernels saw."""
    torch.manual_seed(0)
    task = make_training(name, data)
    task.start(0)
    batch = task.fetch(0)
    seen = _Seen()
    with computed(computing):
        torch.manual_seed(1)
        with seen:
            record = task.step(0, batch)
    gradients = [p.grad.flatten() for p in task.model.parameters() if p.grad is not None]
    assert all(each.dtype == torch.float32 for each in gradients)
    return {key: float(value) for key, value in record.items()}, torch.cat(gradients), seen


@pytest.mark.parametrize("name", TRAININGS)
def test_bf16_agrees_with_float32(name: str, data: Path) -> None:
    exact, gradients, seen = _step(name, data, Computing())
    rough, others, low = _step(name, data, BF16)
    assert torch.bfloat16 not in set().union(*seen.types.values())
    assert torch.bfloat16 in low.types["convolution"]
    # 8 bits of a number, through some ten layers
    assert rough["loss"] == pytest.approx(exact["loss"], rel=0.05)
    assert rough["loss"] != exact["loss"]
    assert rough.keys() == exact.keys()
    if name != "shrinking":  # a box more or less among the samples changes a sum of few boxes
        cosine = nn.functional.cosine_similarity(gradients, others, dim=0)
        assert cosine > 0.7
    for kernel in ("roi_align", "nms", "_log_softmax", "binary_cross_entropy_with_logits", "abs"):
        assert torch.bfloat16 not in low.types.get(kernel, set()), kernel


@contextmanager
def _large(batch: Any) -> Iterator[Any]:
    """The same images 1333 pixels wide, with objects at places that bf16 does not know."""
    inputs = [
        nn.functional.interpolate(i[None].float(), (96, 1333))[0].byte() for i in batch["inputs"]
    ]
    for sample in batch["data_samples"]:
        sample.set_metainfo({"img_shape": (96, 1333), "scale_factor": (1.0, 1.0)})
        boxes = sample.gt_instances.bboxes
        boxes.tensor[:] = torch.tensor([1210.4, 13.3, 1331.7, 90.1])
    yield {**batch, "inputs": inputs}


@pytest.mark.parametrize("name", ("training", "student", "shrinking", "screening"))
def test_no_coordinate_passes_through_bf16(name: str, data: Path) -> None:
    torch.manual_seed(0)
    task = make_training(name, data)
    task.start(0)
    batch = task.fetch(0)
    # true boxes are among the RoIs that a head is trained on
    box = torch.tensor([1210.4, 13.3, 1331.7, 90.1])
    assert not torch.equal(box, box.bfloat16().float())
    with (
        _large(batch[0] if isinstance(batch, tuple) else batch) as wide,
        computed(BF16),
        _Seen() as seen,
    ):
        task.step(0, (wide, None) if isinstance(batch, tuple) else wide)
    assert seen.rois and all(rois.dtype == torch.float32 for rois in seen.rois)
    assert torch.bfloat16 in seen.types["convolution"]
    pooled = torch.cat(seen.rois)[:, 1:]
    found = (pooled == box).all(1)
    assert found.any(), "the true boxes reach RoIAlign as they are"
    rounded = (pooled == box.bfloat16().float()).all(1)
    assert not rounded.any()


def test_detections_are_float32_and_agree(data: Path) -> None:
    torch.manual_seed(0)
    task: Any = make_training("training", data)
    dataset = task.validation[0]
    exact = detect(task.model, dataset, 2)
    with computed(BF16), _Seen() as seen:
        rough = detect(task.model, dataset, 2)
    assert torch.bfloat16 in seen.types["convolution"]
    assert torch.bfloat16 not in seen.types["roi_align"] | seen.types.get("nms", set())
    assert len(rough) == pytest.approx(len(exact), rel=0.2)
    scores = [sorted(each["score"] for each in found)[-5:] for found in (exact, rough)]
    assert scores[0] == pytest.approx(scores[1], rel=0.05)


def test_an_error_inside_leaves_no_autocast_behind() -> None:
    layer = nn.Conv2d(3, 4, 1)
    in_precision(layer)
    with computed(BF16):
        with pytest.raises(RuntimeError):
            layer(torch.zeros(1, 2, 5, 5))
        assert not torch.is_autocast_enabled("cpu")
        assert layer(torch.zeros(1, 3, 5, 5)).dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")


def test_what_is_to_stay_in_float32_does_inside_of_bf16() -> None:
    inner, outer = nn.Conv2d(3, 4, 1, bias=False), nn.Conv2d(3, 3, 1, bias=False)
    whole = nn.Sequential(outer, inner)
    in_precision(whole)
    in_float32(inner)
    image = torch.rand(1, 3, 2, 2)
    with computed(BF16):
        found = whole(image)
    half = nn.functional.conv2d(image.bfloat16(), outer.weight.bfloat16()).float()
    assert torch.equal(found, nn.functional.conv2d(half, inner.weight))


def test_alpha_s_gradient_is_a_float32_sum_of_bf16_maps() -> None:
    torch.manual_seed(0)
    layer = ChoiceLayer(("conv_k3_d1", "sep_k3_d1"), 8, 8)
    image = torch.randn(4, 8, 32, 32)
    gradients = {}
    for execution in ("store", "recompute"):
        for precision in ("float32", "bf16"):
            layer.execution = execution
            layer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                layer(image).square().sum().backward()
            assert layer.alpha.grad is not None
            gradients[execution, precision] = layer.alpha.grad.clone()
    # a sum of 32,768 products in bf16 would stop growing at 256 times a term
    assert torch.allclose(gradients["store", "bf16"], gradients["store", "float32"], rtol=0.02)
    assert torch.equal(gradients["store", "bf16"], gradients["recompute", "bf16"])


def test_statistics_of_a_bf16_batch_are_those_of_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.training.distributed._sum", lambda values: values)
    monkeypatch.setattr("torch.distributed.all_reduce", lambda *_: None)
    image = (100 + torch.randn(2, 3, 17, 19)).bfloat16()
    running = torch.zeros(3), torch.ones(3)
    found = shared_batch_norm(image, running, None, 1.0, 1e-5)
    assert found.dtype == torch.bfloat16
    exact = image.double()
    assert torch.allclose(running[0].double(), exact.mean((0, 2, 3)), atol=1e-4)
    assert torch.allclose(running[1].double(), exact.var((0, 2, 3)), rtol=1e-4)


def test_images_are_copied_without_waiting(data: Path) -> None:
    task: Any = make_training("training", data)
    assert task.model.data_preprocessor._non_blocking
    task.start(0)
    images, _ = preprocess(task.model, task.fetch(0))
    assert images.dtype == torch.float32
