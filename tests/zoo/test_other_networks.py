"""Other methods' networks, made small: each trains for some steps, and detects something."""

from typing import Any

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from pipeline.config.detector import DetectorConfig
from pipeline.config.detector import TestingConfig as Selection
from pipeline.deploy.graph import DetectorGraph
from pipeline.deploy.layers import ExportError
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.complexity import detector_complexity
from pipeline.detection.loss import detection_loss
from pipeline.plan.network import architecture_cost
from pipeline.zoo.architectures import zoo_architecture
from pipeline.zoo.scaling import scaled

WIDTHS = {
    "cascade_r101": 0.0625,
    "fcos_r101": 0.0625,
    "fpn_detnas_1_3g": 0.125,
    "fpn_fbnet_c": 0.125,
    "nas_fpn_detnas_1_3g": 0.125,
    "nas_fpn_r50": 0.125,
    "reppoints_r101": 0.0625,
    "retinanet_mobilenetv2": 0.25,
    "ssd_vgg16": 0.125,
}
"""Factor of the backbone's channels."""
AROUND = Surroundings(
    detector=DetectorConfig(rpn_samples=16, proposals=20, roi_samples=8, image_scale=(64, 64)),
    testing=Selection(score_threshold=0.001),
)


def _batch() -> dict[str, list[Any]]:
    sample: Any = DetDataSample(
        metainfo={"img_shape": (64, 64), "ori_shape": (64, 64), "scale_factor": (1.0, 1.0)}
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[4.0, 6, 30, 34], [20, 24, 60, 62]]), labels=torch.tensor([0, 2])
    )
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, 64, 64), generator=generator, dtype=torch.uint8)
    return {"inputs": [image] * 2, "data_samples": [sample, sample]}


@pytest.mark.parametrize("name", WIDTHS)
def test_it_learns_two_images_by_heart_and_detects(name: str) -> None:
    torch.manual_seed(0)
    network = scaled(
        zoo_architecture(name),
        width=WIDTHS[name],
        head_width=0.125,
        classes=3,
        input_size=(64, 64),
    )
    model: Any = build_detector(network, AROUND).train()
    assert detector_complexity(network, 20).total.params == sum(
        parameter.numel() for parameter in model.parameters()
    )
    assert architecture_cost(network, 8).in_flight > 0
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(12):
        loss, _ = detection_loss(model, _batch())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])
    model.eval()
    with torch.no_grad():
        [found, _] = model.test_step(_batch())
    boxes = found.pred_instances.bboxes
    assert len(boxes) and boxes.isfinite().all()
    assert boxes.min() >= 0 and boxes.max() <= 64


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("fcos_r101", "FCOS"),
        ("reppoints_r101", "RepPointsDetector"),
        ("ssd_vgg16", "SingleStageDetector"),
    ],
)
def test_a_head_that_the_exported_graph_would_compute_wrongly_is_refused(
    name: str, kind: str
) -> None:
    network = scaled(
        zoo_architecture(name),
        width=WIDTHS[name],
        head_width=0.125,
        classes=3,
        input_size=(64, 64),
    )
    # which layer of RepPoints is met first does not matter: its deformable convolutions are none of ONNX
    message = "cannot be (exported|written as ONNX)"
    with pytest.raises(ExportError, match=message) as refusal:
        DetectorGraph(build_detector(network, AROUND))
    assert kind in str(refusal.value) or "DeformConv2d" in str(refusal.value)
