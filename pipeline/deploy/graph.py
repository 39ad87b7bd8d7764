"""A detector from pixels to boxes as one module that can be exported: mmdet's layers, and nothing else of it.

mmdet's own prediction works on Python objects of each image; this is the same function of tensors, written
once more: normalisation, padding, layers, anchors, decoding, RoIAlign and suppression.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.onnx.operators import shape_as_tensor

from pipeline.config.optimization import COARSEST_STRIDE
from pipeline.deploy.boxes import decode, grid_anchors, is_box
from pipeline.deploy.layers import ExportError, exportable
from pipeline.deploy.operators import largest, roi_align, suppress

NO_BOX = -1.0
"""The score of what is no box: below every threshold."""


class DetectorGraph(nn.Module):
    """One image → its detections, as mmdet's `predict` gives them without rescaling.

    Args:
        model: an mmdet detector: RetinaNet, Faster R-CNN or Cascade R-CNN, as the builder makes them.
        fixed: the image is padded by the caller to a fixed size, and says how much of it is image.

    Raises:
        ExportError: it is made of something else.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, *, fixed: bool = False) -> None:
        super().__init__()
        network = exportable(model)
        preprocessor = network.data_preprocessor
        _refuse_foreign(network)
        self.fixed = fixed
        # a copy each: buffers of one storage would be one tensor of the file
        self.register_buffer("mean", preprocessor.mean.detach().clone().reshape(1, 3, 1, 1))
        self.register_buffer("std", preprocessor.std.detach().clone().reshape(1, 3, 1, 1))
        self.backbone, self.neck = network.backbone, network.neck
        two_stage = hasattr(network, "roi_head")
        self.head = ProposalSelection(network) if two_stage else OneStageSelection(network)
        self.regions = RegionSelection(network) if two_stage else None

    def forward(self, image: Tensor, extent: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Detections of one image by falling score.

        Args:
            image: (1, 3, H, W) uint8, RGB. Where the size is not fixed, any size.
            extent: (2,) int64, where the size is fixed: rows and columns that are image; the others,
                below and to the right, are not looked at.

        Returns:
            boxes (D, 4) as x1, y1, x2, y2 in pixels of `image`, scores (D,), labels (D,).
        """
        pixels = (image.float() - self.mean) / self.std
        if extent is None:
            extent = shape_as_tensor(image)[2:]
            pixels = _padded(pixels)
        else:
            pixels = pixels * _inside(pixels, extent)
        limits = extent.flip(0).to(pixels.dtype).repeat(2)
        maps = self.neck(self.backbone(pixels))
        found = self.head(maps, limits)
        return found if self.regions is None else self.regions(maps, found, limits)


def _padded(pixels: Tensor) -> Tensor:
    """Zeros below and to the right, up to the next multiple of the coarsest stride."""
    height, width = pixels.shape[-2:]
    return functional.pad(pixels, (0, -width % COARSEST_STRIDE, 0, -height % COARSEST_STRIDE))


def _inside(pixels: Tensor, extent: Tensor) -> Tensor:
    """(1, 1, H, W): one where the image is, zero elsewhere."""
    rows = torch.arange(pixels.shape[-2]) < extent[0]
    columns = torch.arange(pixels.shape[-1]) < extent[1]
    return (rows[:, None] & columns[None, :])[None, None].to(pixels.dtype)


def _refuse_foreign(model: Any) -> None:
    """Raise `ExportError` for what the builder does not make, and `DetectorGraph` would compute wrongly."""
    kind = type(model).__name__
    if kind not in ("RetinaNet", "FasterRCNN", "CascadeRCNN"):
        raise ExportError(
            f"a {kind} cannot be exported: only RetinaNet, FasterRCNN and CascadeRCNN can"
        )
    dense = model.rpn_head if hasattr(model, "rpn_head") else model.bbox_head
    heads = _box_heads(model) if hasattr(model, "roi_head") else []
    if not dense.use_sigmoid_cls:
        raise ExportError("the scores of anchors must be sigmoids")
    for head in heads:
        if head.reg_class_agnostic or head.custom_cls_channels:
            raise ExportError("the RoI head must have a softmax and boxes of each class")
    for coder in (dense.bbox_coder, *(head.bbox_coder for head in heads)):
        if (
            type(coder).__name__ != "DeltaXYWHBBoxCoder"
            or any(coder.means)
            or not coder.clip_border
        ):
            raise ExportError("boxes must be coded by a DeltaXYWHBBoxCoder of means 0 that clips")


def _box_heads(model: Any) -> list[Any]:
    head = model.roi_head.bbox_head
    return list(head) if isinstance(head, nn.ModuleList) else [head]


class _Anchors(nn.Module):
    """A dense head's predictions at each level: scores and deltas beside the anchors they belong to."""

    def __init__(self, head: Any) -> None:
        super().__init__()
        self.head = head
        generator = head.prior_generator
        self.strides = [int(stride[0]) for stride in generator.strides]
        for level, base in enumerate(generator.base_anchors):
            self.register_buffer(f"base{level}", base.detach().clone().float())

    def forward(self, maps: Sequence[Tensor]) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Of each level the scores (N, classes), deltas (N, 4) and anchors (N, 4)."""
        levels = []
        for level, (scores, deltas) in enumerate(zip(*self.head(maps), strict=True)):
            anchors = grid_anchors(
                getattr(self, f"base{level}"), self.strides[level], *scores.shape[-2:]
            )
            scores = scores[0].permute(1, 2, 0).reshape(-1, self.head.cls_out_channels).sigmoid()
            levels.append((scores, deltas[0].permute(1, 2, 0).reshape(-1, 4), anchors))
        return levels


class ProposalSelection(nn.Module):
    """The RPN's proposals: the best of each level, decoded, suppressed level by level."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.anchors = _Anchors(model.rpn_head)
        self.stds = list(model.rpn_head.bbox_coder.stds)
        settings = model.test_cfg.rpn
        _refuse_selection(settings)
        self.before, self.most = settings.nms_pre, settings.max_per_img
        self.iou = settings.nms.iou_threshold

    def forward(self, maps: Sequence[Tensor], limits: Tensor) -> Tensor:
        """Levels (1, C, H, W) → proposals (R, 4) by falling score."""
        boxes, scores = [], []
        for objectness, deltas, anchors in self.anchors(maps):
            best, places = largest(objectness.flatten(), self.before)
            decoded = decode(anchors[places], deltas[places], self.stds, limits)
            best = torch.where(is_box(decoded), best, NO_BOX)
            kept = suppress(decoded[None], best[None, None], self.most, self.iou, NO_BOX / 2)[:, 2]
            boxes.append(decoded[kept])
            scores.append(best[kept])
        _, places = largest(torch.cat(scores), self.most)
        return torch.cat(boxes)[places]


class OneStageSelection(nn.Module):
    """RetinaNet's detections: the best scores of each level, decoded, suppressed class by class."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.anchors = _Anchors(model.bbox_head)
        self.classes = model.bbox_head.num_classes
        self.stds = list(model.bbox_head.bbox_coder.stds)
        settings = model.test_cfg
        _refuse_selection(settings)
        self.before, self.most = settings.nms_pre, settings.max_per_img
        self.iou, self.threshold = settings.nms.iou_threshold, settings.score_thr

    def forward(self, maps: Sequence[Tensor], limits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Levels (1, C, H, W) → boxes (D, 4), scores (D,) and labels (D,)."""
        boxes, scores, labels = [], [], []
        for probabilities, deltas, anchors in self.anchors(maps):
            best, places = largest(probabilities.flatten(), self.before)
            anchor = torch.div(places, self.classes, rounding_mode="floor")
            boxes.append(decode(anchors[anchor], deltas[anchor], self.stds, limits))
            labels.append(places - anchor * self.classes)
            scores.append(best)
        every = torch.cat(boxes)
        score = torch.where(is_box(every), torch.cat(scores), NO_BOX)
        label = torch.cat(labels)
        # a candidate has a score for its own class only
        own = torch.arange(self.classes)[:, None] == label
        by_class = torch.where(own, score, NO_BOX)
        kept = suppress(every[None], by_class[None], self.most, self.iou, self.threshold)[:, 2]
        score, places = largest(score[kept], self.most)
        kept = kept[places]
        return every[kept], score, label[kept]


class RegionSelection(nn.Module):
    """The RoI head's detections: one stage, or several of which each refines the boxes of the last."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_box_heads(model))
        self.stds = [list(head.bbox_coder.stds) for head in _box_heads(model)]
        extractor = model.roi_head.bbox_roi_extractor
        extractors: list[Any] = (
            list(extractor) if isinstance(extractor, nn.ModuleList) else [extractor]
        )
        _refuse_extractors(extractors)
        self.strides = list(extractors[0].featmap_strides)
        self.finest_scale = float(extractors[0].finest_scale)
        self.size = extractors[0].roi_layers[0].output_size[0]
        self.classes = _box_heads(model)[0].num_classes
        settings = model.test_cfg.rcnn
        _refuse_selection(settings)
        self.most, self.threshold = settings.max_per_img, settings.score_thr
        self.iou = settings.nms.iou_threshold

    def forward(
        self, maps: Sequence[Tensor], boxes: Tensor, limits: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Levels (1, C, H, W) and proposals (R, 4) → boxes (D, 4), scores (D,) and labels (D,)."""
        total: Any = 0
        deltas = boxes
        for stage, head in enumerate(self.heads):
            logits, deltas = head(self.features(maps, boxes))
            deltas = deltas.reshape(-1, self.classes, 4)
            total = total + logits
            if stage + 1 < len(self.heads):
                likeliest = logits[:, :-1].argmax(dim=1)
                own = deltas.gather(1, likeliest[:, None, None].expand(-1, 1, 4)).squeeze(1)
                boxes = decode(boxes, own, self.stds[stage], limits)
        scores = (total / len(self.heads)).softmax(dim=-1)[:, :-1]
        moved = decode(boxes[:, None], deltas, self.stds[-1], limits)
        # every class has boxes of its own: to the operator each is a sample of one class
        kept = suppress(
            moved.transpose(0, 1), scores.t()[:, None], self.most, self.iou, self.threshold
        )
        labels, places = kept[:, 0], kept[:, 2]
        score, best = largest(scores[places, labels], self.most)
        places, labels = places[best], labels[best]
        return moved[places, labels], score, labels

    def features(self, maps: Sequence[Tensor], boxes: Tensor) -> Tensor:
        """RoI features (R, C, S, S), each box's from the level of its size (Lin et al. 2017, eq. 1)."""
        sides = boxes[:, 2:] - boxes[:, :2]
        octave = torch.log2((sides[:, 0] * sides[:, 1]).sqrt() / self.finest_scale + 1e-6).floor()
        level = octave.clamp(0, len(self.strides) - 1)
        places = [torch.nonzero(level == number).squeeze(1) for number in range(len(self.strides))]
        pooled = [
            roi_align(features, boxes[place], self.size, stride)
            for features, place, stride in zip(maps, places, self.strides, strict=False)
        ]
        return torch.cat(pooled)[torch.cat(places).argsort()]


def _refuse_selection(settings: Any) -> None:
    kind = settings.nms.get("type", "nms")
    if kind != "nms" or settings.nms.get("class_agnostic", False):
        raise ExportError(
            f"boxes must be suppressed by nms of each class, not by {dict(settings.nms)}"
        )
    if settings.get("min_bbox_size", 0) != 0:
        raise ExportError(f"min_bbox_size must be 0, not {settings.min_bbox_size}")


def _refuse_extractors(extractors: Sequence[Any]) -> None:
    for extractor in extractors:
        layers = list(extractor.roi_layers)
        if type(extractor).__name__ != "SingleRoIExtractor" or any(
            type(layer).__name__ != "RoIAlign" or layer.sampling_ratio or not layer.aligned
            for layer in layers
        ):
            raise ExportError(
                "RoI features must be those of an aligned RoIAlign without sampling_ratio"
            )
