"""FCOS, RepPoints and SSD are those of mmdet's own configurations."""

from typing import Any

import pytest
import torch
from mmdet.models.backbones import SSDVGG
from mmdet.models.necks import SSDNeck
from mmengine.hub import get_config
from torch import Tensor, nn

from pipeline.detection.builder import Surroundings, build_detector, model_config
from pipeline.detection.ssd import SsdNeck, VggBackbone
from pipeline.search_space.architecture import Architecture, SsdHead
from pipeline.search_space.architecture import SsdNeck as SsdNeckFormat
from pipeline.zoo.architectures import zoo_architecture
from pipeline.zoo.scaling import scaled

CONFIGS = {
    "cascade_r101": "cascade_rcnn/cascade-rcnn_r101_fpn_1x_coco.py",
    "fcos_r101": "fcos/fcos_r50-caffe_fpn_gn-head-center-normbbox-centeronreg-giou_1x_coco.py",
    "reppoints_r101": "reppoints/reppoints-moment_r101_fpn-gn_head-gn_2x_coco.py",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_setting_that_mmdet_s_configuration_states_is_ours(name: str) -> None:
    theirs: Any = get_config(f"mmdet::{CONFIGS[name]}").model
    ours = model_config(zoo_architecture(name), Surroundings())
    assert ours["type"] == theirs.type
    assert _differences(theirs.neck, ours["neck"]) == {}
    key = "roi_head" if name == "cascade_r101" else "bbox_head"
    found = _differences(theirs[key], ours[key])
    # its smooth L1 losses are RepPoints' defaults, rounded
    expected = {
        "reppoints_r101": {"num_points", "gradient_mul", "transform_method", "loss_bbox_init"}
        | {"loss_bbox_refine"},
        # defaults: no deformable convolutions, L1 and cross entropy losses of weight one
        "fcos_r101": {"dcn_on_last_conv", "loss_centerness"},
        # this project regresses boxes of each class, and by L1, in a cascade, too; it states mmdet's
        # finest scale, the default
        "cascade_r101": {"bbox_head", "bbox_roi_extractor"},
    }
    assert found.keys() <= expected[name], found


def _differences(theirs: Any, ours: Any) -> dict[str, Any]:
    """What of a configuration is otherwise here, by its key."""
    return {
        key: (value, ours.get(key))
        for key, value in theirs.items()
        if _plain(ours.get(key)) != _plain(value)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def test_a_level_of_fcos_has_objects_of_its_size() -> None:
    """The published ranges at strides of 8 to 128."""
    ranges = model_config(zoo_architecture("fcos_r101"), Surroundings())["bbox_head"][
        "regress_ranges"
    ]
    assert [upper for _, upper in ranges] == [64, 128, 256, 512, 1e8]
    assert [lower for lower, _ in ranges] == [-1, 64, 128, 256, 512]


def test_ssd_computes_what_mmdet_s_does() -> None:
    torch.manual_seed(0)
    theirs = SSDVGG(16, with_last_pool=False, out_feature_indices=(22, 34))
    # mmcv's `train` returns nothing
    theirs.eval()
    widths = (512, 1024, 512, 256, 256, 256, 256)
    their_neck = SSDNeck(widths[:2], widths, (2, 2, 2, 2, 1), (1,) * 5, last_kernel_size=4)
    nn.init.uniform_(their_neck.l2_norm.weight, 1, 2)
    network = zoo_architecture("ssd_vgg16")
    spec = network.backbone.model_dump(exclude={"type"})
    ours = VggBackbone(**spec).eval()
    assert isinstance(network.neck, SsdNeckFormat)
    neck = SsdNeck(network.backbone.out_channels, network.neck.channels)
    _copy(theirs, ours)
    _copy(their_neck, neck)
    images = torch.randn(1, 3, 256, 256)
    # as large as the finest two of 512 × 512, of which the last level is one place
    maps = torch.randn(1, 512, 64, 64), torch.randn(1, 1024, 32, 32)
    with torch.no_grad():
        pairs: list[tuple[Tensor, Tensor]] = [
            *zip(theirs(images), ours(images), strict=True),
            *zip(their_neck(maps), neck(maps), strict=True),
        ]
        for one, other in pairs:
            assert one.shape == other.shape
            assert torch.allclose(one, other, rtol=1e-4, atol=1e-4 * one.abs().max().item())


def _copy(source: nn.Module, target: nn.Module) -> None:
    """Weights by their order, which is that of the layers."""
    with torch.no_grad():
        for one, other in zip(source.parameters(), target.parameters(), strict=True):
            other.copy_(one)


def test_ssd_s_anchors_are_the_published_ones() -> None:
    """To a pixel: mmdet cuts off their sides' fractions."""
    published: Any = get_config("mmdet::ssd/ssd512_coco.py").model
    from mmdet.registry import TASK_UTILS

    theirs = TASK_UTILS.build(published.bbox_head.anchor_generator)
    settings = model_config(zoo_architecture("ssd_vgg16"), Surroundings())
    ours = TASK_UTILS.build(settings["bbox_head"]["anchor_generator"])
    assert theirs.strides == ours.strides
    for one, other in zip(theirs.base_anchors, ours.base_anchors, strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, atol=1.5)


@pytest.mark.parametrize("side", [32, 64, 160])
def test_ssd_takes_small_images(side: int) -> None:
    """Levels that would vanish are one place."""
    network = scaled(
        zoo_architecture("ssd_vgg16"),
        width=0.0625,
        head_width=0.0625,
        classes=2,
        input_size=(side, side + 32),
    )
    model: Any = build_detector(network, Surroundings()).eval()
    with torch.no_grad():
        levels = model.extract_feat(torch.zeros(1, 3, side, side + 32))
        scores, _ = model.bbox_head(levels)
    assert len(levels) == len(network.neck.strides) == len(scores)
    assert tuple(levels[0].shape[2:]) == (side // 8, side // 8 + 4)
    assert all(min(level.shape[2:]) >= 1 for level in levels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"neck": {"type": "fpn", "first_stage": 2}}, "go together only"),
        ({"family": "retinanet"}, "family retinanet does not go with a head of type ssd"),
        ({"head": {"anchor_ratios": [[2], [2]], "anchor_sizes": [0.1, 0.2, 0.4]}}, "of 7 levels"),
        ({"head": {"anchor_ratios": [[2]], "anchor_sizes": [0.1, 0.2, 0.4]}}, "needs one more"),
        ({"neck": {"channels": [7, 8]}}, "must be even"),
    ],
)
def test_an_ssd_of_parts_that_do_not_fit_is_refused(changes: Any, message: str) -> None:
    content = zoo_architecture("ssd_vgg16").model_dump(mode="json")
    for key, value in changes.items():
        content[key] = {"type": "ssd"} | value if isinstance(value, dict) else value
    with pytest.raises(ValueError, match=message):
        Architecture.model_validate(content)


def test_a_head_s_groups_divide_its_channels() -> None:
    network = zoo_architecture("fcos_r101")
    with pytest.raises(ValueError, match=r"24 channels of the towers are not .* norm_groups, 32"):
        type(network.head).model_validate({"class_tower": [24], "box_tower": [24]})
    assert isinstance(zoo_architecture("ssd_vgg16").head, SsdHead)
