"""The builder: its configs load in mmdet, and what it builds trains."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import nn

from pipeline.config.detector import DetectorConfig, Normalization, TestingConfig
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.builder import Surroundings, build_backbone, build_detector, model_config
from pipeline.detection.detector_folder import mmdet_config
from pipeline.detection.loss import detection_loss
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import Architecture
from pipeline.supernet.choice import choice_layers

SHAPE = SupernetConfig(
    input_size=(64, 64),
    stem_channels=4,
    channels=(6, 8, 8, 12),
    neck_channels=8,
    rpn_channels=8,
    anchor_scale=4,
    head_blocks=2,
    head_fc_channels=16,
    roi_size=3,
)
CANDIDATES = {
    "backbone": ("ir_k3_d1_e3", "sep_k5_d2", "conv_k3_d1"),
    "neck": ("conv_k3_d2", "sep_k3_d1"),
    "head": ("sep_k3_d3", "ir_k5_d1_e1"),
}
AROUND = Surroundings(
    detector=DetectorConfig(rpn_samples=16, proposals=20, roi_samples=8, image_scale=(64, 64)),
    normalization=Normalization(mean=(100, 110, 120), std=(50, 55, 60)),
)


def _architecture(*, derived: bool) -> Architecture:
    operations = {name: ops[0] if derived else ops for name, ops in CANDIDATES.items()}
    return supernet_architecture(SHAPE, 3, (2, 1, 1, 1), operations)


@pytest.mark.parametrize("derived", [True, False], ids=["network", "supernet"])
def test_the_config_file_builds_the_same_model_in_mmdet(derived: bool, tmp_path: Path) -> None:
    architecture = _architecture(derived=derived)
    path = tmp_path / "config.py"
    path.write_text(mmdet_config(architecture, AROUND, ["a", "b", "c"]))
    config = Config.fromfile(path)
    theirs = MODELS.build(config.model)
    ours = build_detector(architecture, AROUND)
    assert str(theirs) == str(ours)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    assert len(choice_layers(theirs)) == (0 if derived else 5 + 8 + 2)


def test_soft_suppression_keeps_what_hard_removes_with_lower_scores() -> None:
    torch.manual_seed(0)
    image = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
    sample = DetDataSample(metainfo={"img_shape": (64, 64), "scale_factor": (1.0, 1.0)})
    state, found = None, {}
    for nms in ("hard", "soft"):
        testing = TestingConfig.model_validate({"nms": nms, "nms_iou": 0.3, "proposals": 50})
        around = dataclasses.replace(AROUND, testing=testing)
        model: Any = build_detector(_architecture(derived=True), around).eval()
        state = state or model.state_dict()
        model.load_state_dict(state)
        with torch.no_grad():
            (result,) = model.test_step({"inputs": [image], "data_samples": [sample.clone()]})
        found[nms] = result.pred_instances
    hard, soft = (
        {tuple(box): score for box, score in zip(f.bboxes.tolist(), f.scores.tolist(), strict=True)}
        for f in (found["hard"], found["soft"])
    )
    assert 0 < len(hard) < len(soft)
    assert all(soft[box] == pytest.approx(score) for box, score in hard.items() if box in soft)
    assert min(soft.values()) >= 0.05


def test_the_config_says_what_the_sections_say() -> None:
    config = model_config(_architecture(derived=True), AROUND)
    assert config["train_cfg"]["rpn"]["sampler"]["num"] == 16
    assert config["train_cfg"]["rcnn"]["sampler"]["num"] == 8
    assert config["train_cfg"]["rpn_proposal"]["max_per_img"] == 20
    assert config["test_cfg"]["rcnn"]["score_thr"] == 0.05
    assert config["data_preprocessor"]["mean"] == [100, 110, 120]
    assert config["roi_head"]["bbox_head"]["num_classes"] == 3
    model: Any = build_detector(_architecture(derived=True), AROUND)
    # BGR pixels as they are read, RGB in the network
    image = torch.tensor([120.0 + 60, 110, 100 - 50]).reshape(3, 1, 1).expand(3, 32, 32)
    data = {"inputs": [image.to(torch.uint8)], "data_samples": [DetDataSample()]}
    normalised = model.data_preprocessor(data, False)["inputs"]
    assert normalised[0, :, 0, 0].tolist() == pytest.approx([-1, 0, 1])


def _batch() -> dict[str, list[Any]]:
    """Two noise images of 64 px with two boxes each."""
    generator = torch.Generator().manual_seed(0)
    inputs, samples = [], []
    for label in (0, 1):
        inputs.append(torch.randint(0, 256, (3, 64, 64), generator=generator, dtype=torch.uint8))
        sample: Any = DetDataSample(
            metainfo={"img_shape": (64, 64), "ori_shape": (64, 64), "scale_factor": (1.0, 1.0)}
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[4.0, 6, 30, 34], [20, 24, 60, 62]]),
            labels=torch.tensor([label, 2]),
        )
        samples.append(sample)
    return {"inputs": inputs, "data_samples": samples}


def _run_names(model: nn.Module) -> set[str]:
    """Fills with the names of the candidates that run in the model's next passes."""
    ran: set[str] = set()
    for dotted, layer in choice_layers(model).items():
        for name, candidate in layer.candidates.items():
            candidate.register_forward_hook(
                lambda *_, full=f"{dotted}.candidates.{name}.": ran.add(full)
            )
    return ran


@pytest.mark.parametrize("execution", ["store", "recompute"])
@pytest.mark.parametrize("paths", [None, 1])
def test_the_loss_reaches_every_parameter_of_the_drawn_path(
    execution: Any, paths: int | None
) -> None:
    torch.manual_seed(1)
    model = build_detector(
        _architecture(derived=False), AROUND, execution=execution, paths=paths
    ).train()
    ran = _run_names(model)
    loss, numbers = detection_loss(model, _batch())
    record = {name: float(value) for name, value in numbers.items()}
    assert {"loss", "loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "loss_bbox"} <= record.keys()
    assert all(0 < record[name] < 100 for name in record if name.startswith("loss"))
    parts = sum(record[n] for n in ("loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "loss_bbox"))
    assert record["loss"] == pytest.approx(parts, rel=1e-5)
    assert loss.item() == pytest.approx(record["loss"])
    loss.backward()
    layers = choice_layers(model)
    assert len(ran) == (len(layers) if paths else sum(len(x.names) for x in layers.values()))
    for name, parameter in model.named_parameters():
        prefix = next((one for one in ran if name.startswith(one)), None)
        if ".candidates." in name and prefix is None:
            assert parameter.grad is None, name
        else:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    groups = {
        name.split(".")[0]
        for name, p in model.named_parameters()
        if p.grad is not None and p.grad.any()
    }
    assert groups == {"backbone", "neck", "rpn_head", "roi_head"}


def test_a_derived_detector_learns_one_batch() -> None:
    torch.manual_seed(2)
    model = build_detector(_architecture(derived=True), AROUND).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(25):
        loss, _ = detection_loss(model, _batch())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-3:]) < 0.7 * sum(losses[:3])
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_a_backbone_alone_is_the_detector_s() -> None:
    architecture = _architecture(derived=False)
    backbone = build_backbone(architecture, execution="recompute", paths=2)
    detector: Any = build_detector(architecture, AROUND)
    detector.backbone.load_state_dict(backbone.state_dict(), strict=True)
    for layer in choice_layers(backbone).values():
        assert (layer.execution, layer.paths) == ("recompute", 2)


def test_initial_weights_depend_on_the_seed_alone() -> None:
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(build_detector(_architecture(derived=True), AROUND).state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert not torch.equal(states[0]["backbone.stem.0.weight"], states[2]["backbone.stem.0.weight"])
