"""A user's own mmdet detector: converted, it detects what it did; what does not fit is refused by reason."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.apis import init_detector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.runner import Runner, save_checkpoint
from telling_weights import randomise
from torch import nn

from pipeline.artifacts.errors import ArtifactError
from pipeline.config.data import EmbeddedDetection
from pipeline.config.detector import Normalization
from pipeline.data.embedded import write_detection
from pipeline.data.embedded_sources import CLASSES
from pipeline.detection.builder import Surroundings, build_detector, register_modules
from pipeline.detection.conversion import convert_detector
from pipeline.detection.description import UnsupportedDetectorError
from pipeline.morphism.actions import possible_actions
from pipeline.search_space.architecture import Architecture
from pipeline.supernet.weights import WeightsMismatchError

SIZE = (96, 128)
MODEL = f"""
_base_ = "mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"
metainfo = dict(classes={CLASSES!r})
train_dataloader = dict(dataset=dict(metainfo=metainfo))
val_dataloader = dict(dataset=dict(metainfo=metainfo))
test_dataloader = dict(dataset=dict(metainfo=metainfo))
model = dict(
    neck=dict(out_channels=8, in_channels={{inputs}}),
    rpn_head=dict(in_channels=8, feat_channels=12),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=8),
        bbox_head=dict(in_channels=8, fc_out_channels=16, num_classes=10),
    ),
)
"""
# as users write them: with pretrained weights, frozen stages, statistics that do not move
BACKBONES = {
    "resnet18": ([8, 16, 32, 64], "depth=18, base_channels=8, stem_channels=8"),
    "resnet50": ([32, 64, 128, 256], "depth=50, base_channels=8, stem_channels=8"),
    "resnext50": (
        [32, 64, 128, 256],
        'type="ResNeXt", depth=50, base_channels=8, stem_channels=8, groups=4, base_width=4',
    ),
    "mobilenetv2": (
        [8, 8, 24, 80],
        '_delete_=True, type="MobileNetV2", widen_factor=0.25, out_indices=(1, 2, 4, 6)',
    ),
}


def _config(folder: Path, backbone: str, further: str = "") -> Path:
    inputs, settings = BACKBONES[backbone]
    text = MODEL.format(inputs=inputs)
    text += f"model['backbone'] = dict({settings})\n{further}"
    path = folder / f"{backbone}.py"
    path.write_text(text)
    return path


def _checkpoint(config: Path) -> Path:
    register_modules()
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config).model)
    randomise(model)
    path = config.with_suffix(".pth")
    save_checkpoint({"meta": {"epoch": 12}, "state_dict": model.state_dict()}, str(path))
    return path


def _convert(config: Path, checkpoint: Path, **changes: Any) -> tuple[Architecture, Any]:
    arguments: dict[str, Any] = {"classes": CLASSES, "around": Surroundings(), "input_size": SIZE}
    return convert_detector(config, checkpoint, **arguments | changes)


def _detections(model: Any) -> Any:
    image = torch.randint(0, 256, (3, 160, 224), generator=torch.Generator().manual_seed(0))
    sample = {"img_shape": (160, 224), "ori_shape": (160, 224), "scale_factor": (1.0, 1.0)}
    data = {"inputs": [image.to(torch.uint8)], "data_samples": [DetDataSample(metainfo=sample)]}
    with torch.no_grad():
        return model.eval().test_step(data)[0].pred_instances


def _assert_same_detections(config: Path, checkpoint: Path) -> None:
    architecture, weights = _convert(config, checkpoint)
    assert architecture.input_size == SIZE and architecture.classes == 10
    ours = build_detector(architecture, Surroundings())
    ours.load_state_dict(weights, strict=True)
    theirs = init_detector(str(config), str(checkpoint), device="cpu")
    mine, other = _detections(ours), _detections(theirs)
    assert len(other) > 0
    assert torch.equal(mine.labels, other.labels)
    torch.testing.assert_close(mine.bboxes, other.bboxes, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(mine.scores, other.scores, atol=1e-5, rtol=0)
    # it can be a student
    assert possible_actions(architecture)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_converted_detector_detects_what_mmdet_s_does(backbone: str, tmp_path: Path) -> None:
    config = _config(tmp_path, backbone)
    _assert_same_detections(config, _checkpoint(config))


@pytest.mark.slow
def test_a_detector_trained_with_synchronised_norms_is_one_with_batch_norms(tmp_path: Path) -> None:
    synchronised = "model['backbone']['norm_cfg'] = dict(type='SyncBN', requires_grad=True)"
    config = _config(tmp_path, "resnet18", synchronised)
    _assert_same_detections(config, _checkpoint(config))


def test_a_checkpoint_of_mmdet_s_own_training_converts(tmp_path: Path) -> None:
    """With the optimiser and the curves that mmengine keeps in it, which are not read."""
    data = tmp_path / "data"
    data.mkdir()
    write_detection(
        EmbeddedDetection(image_size=64, train_images=10, val_images=1, object_size=(12, 40)), data
    )
    training = f"""
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        metainfo=metainfo,
        data_root={str(data) + "/"!r},
        ann_file="annotations/train.json",
        data_prefix=dict(img="images/train/"),
    ),
)
val_dataloader = val_cfg = val_evaluator = None
test_dataloader = test_cfg = test_evaluator = None
train_cfg = dict(max_epochs=1)
model['backbone']['init_cfg'] = None
"""
    config = _config(tmp_path, "resnet18", training)
    content = Config.fromfile(config)
    content.work_dir = str(tmp_path / "work")
    content.train_dataloader.dataset.pipeline[2].scale = (64, 64)
    Runner.from_cfg(content).train()
    checkpoint = tmp_path / "work/epoch_1.pth"
    assert "message_hub" in torch.load(checkpoint, weights_only=False)
    _, weights = _convert(config, checkpoint)
    trained = torch.load(checkpoint, weights_only=False)["state_dict"]
    assert weights.keys() == trained.keys()
    assert all(torch.equal(weights[name], trained[name]) for name in trained)


@pytest.mark.parametrize(
    ("further", "reason"),
    [
        ("model['type'] = 'CascadeRCNN'", "cannot be|cannot build"),
        (
            "model['backbone'] = dict(_delete_=True, type='RegNet', arch='regnetx_400mf')",
            "backbone must be ResNet or ResNeXt or ResidualBackbone or .*, not RegNet",
        ),
        ("model['backbone']['style'] = 'caffe'", "style pytorch"),
        (
            "model['backbone'].update(dcn=dict(type='DCNv2', deform_groups=1), "
            "stage_with_dcn=(False, False, False, True))",
            "must be ordinary ones, not ModulatedDeformConv2d",
        ),
        (
            "model['backbone']['norm_cfg'] = dict(type='GN', num_groups=4, requires_grad=True)",
            "must be batch normalisation, not GroupNorm",
        ),
        ("model['neck']['norm_cfg'] = dict(type='BN')", "FPN must have no norms"),
        ("model['roi_head']['bbox_head']['reg_class_agnostic'] = True", "class-aware"),
        (
            "model['roi_head']['bbox_roi_extractor']['finest_scale'] = 28",
            "the RoI features are not those",
        ),
        ("model['neck']['upsample_cfg'] = dict(mode='bilinear')", "the FPN's levels are not those"),
        ("model['roi_head']['bbox_head']['num_classes'] = 20", "20 classes, the dataset 10"),
        (
            "test_dataloader['dataset']['metainfo'] = dict(classes=tuple('9876543210'))",
            "another order: 9, 8, 7, 6, 5 and 5 more, not 0",
        ),
        (
            "test_dataloader['dataset']['metainfo'] = dict(classes=('zero', *'123456789'))",
            "not the dataset's: zero instead of 0",
        ),
        (
            "model['data_preprocessor'] = dict(mean=[103.53, 116.28, 123.675])",
            r"have the mean \[103.53, 116.28, 123.675\], but normalization.mean is",
        ),
        ("model['data_preprocessor'] = dict(bgr_to_rgb=False)", "must be RGB"),
    ],
)
def test_a_detector_that_does_not_fit_is_refused_by_reason(
    further: str, reason: str, tmp_path: Path
) -> None:
    config = _config(tmp_path, "resnet50", further)
    checkpoint = tmp_path / "none.pth"
    if "are not those" in reason:
        checkpoint = _checkpoint(config)
    with pytest.raises(UnsupportedDetectorError, match=reason) as caught:
        _convert(config, checkpoint)
    assert str(config) in str(caught.value)


def test_all_reasons_are_given_together(tmp_path: Path) -> None:
    further = "model['backbone']['avg_down'] = True\nmodel['neck']['norm_cfg'] = dict(type='BN')"
    config = _config(tmp_path, "resnet18", further)
    with pytest.raises(UnsupportedDetectorError, match=r"avg_down; the FPN must have no norms"):
        _convert(config, tmp_path / "none.pth")


def test_a_checkpoint_that_does_not_match_is_refused(tmp_path: Path) -> None:
    config = _config(tmp_path, "resnet18")
    other = _checkpoint(_config(tmp_path, "resnext50"))
    with pytest.raises(WeightsMismatchError, match=f"{other} does not fit the network"):
        _convert(config, other)
    with pytest.raises(ArtifactError, match=r"none\.pth"):
        _convert(config, tmp_path / "none.pth")


class _Attack:
    def __reduce__(self) -> Any:
        return print, ("run",)


def test_nothing_of_a_checkpoint_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = _config(tmp_path, "resnet18")
    path = tmp_path / "attack.pth"
    torch.save({"state_dict": nn.Linear(1, 1).state_dict(), "meta": _Attack()}, path)
    with pytest.raises(ArtifactError, match="weights_only"):
        _convert(config, path)
    assert "run" not in capsys.readouterr().out


def test_what_is_no_config_of_a_detector_is_refused(tmp_path: Path) -> None:
    for text, reason in (("model = (", "cannot be read"), ("x = 1\n", "it has no `model`")):
        path = tmp_path / "config.py"
        path.write_text(text)
        with pytest.raises(UnsupportedDetectorError, match=reason):
            _convert(path, tmp_path / "none.pth")
    with pytest.raises(UnsupportedDetectorError, match="FileNotFoundError"):
        _convert(tmp_path / "nowhere.py", tmp_path / "none.pth")


def test_another_normalisation_is_taken_where_the_run_has_it(tmp_path: Path) -> None:
    config = _config(
        tmp_path, "resnet18", "model['data_preprocessor'] = dict(mean=[1, 2, 3], std=[4, 5, 6])"
    )
    around = Surroundings(normalization=Normalization(mean=(1, 2, 3), std=(4, 5, 6)))
    _convert(config, _checkpoint(config), around=around)
