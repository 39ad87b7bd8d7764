"""A user's own mmdet detector as an architecture and its weights (Joint-DetNAS begins with one).

The config is Python, and mmengine runs it: use one you trust. Of the checkpoint only tensors and plain
values are read. The detector that the builder makes of the result is run beside the user's own, so
whatever a config says that the format does not is either without effect or found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from torch import Tensor

from pipeline.artifacts.given_weights import read_tensors
from pipeline.config.detector import Normalization
from pipeline.detection.builder import Surroundings, build_detector, register_modules
from pipeline.detection.description import UnsupportedDetectorError, describe_detector
from pipeline.search_space.architecture import Architecture
from pipeline.supernet.weights import load_strictly

SYNCHRONISED = ("SyncBN", "MMSyncBN")
"""The registered names of batch normalisations whose statistics are those of several processes."""

DATALOADERS = ("test_dataloader", "val_dataloader", "train_dataloader")


def convert_detector(
    config: Path,
    checkpoint: Path,
    classes: Sequence[str],
    around: Surroundings,
    input_size: tuple[int, int],
) -> tuple[Architecture, dict[str, Tensor]]:
    """Read, check and convert an mmdet config and its checkpoint.

    Args:
        config: of a Faster R-CNN with FPN on a ResNet, ResNeXt or MobileNetV2, with a standard RoI head.
        checkpoint: its weights, as mmdet writes them, or a safetensors file.
        classes: those of the dataset, in the order of the labels.
        around: what completes the architecture; the normalisation of pixels must be the config's.
        input_size: (height, width) in pixels at which costs are to be counted.

    Raises:
        UnsupportedDetectorError: the config is none, or a detector that cannot be used; with all reasons.
        ArtifactError: the checkpoint cannot be read.
        WeightsMismatchError: its weights are not those of the config.
    """
    content = _read(config)
    theirs = _build(content, config)
    try:
        architecture = describe_detector(theirs, input_size)
        _check_classes(content, architecture, classes)
        _check_pixels(theirs.data_preprocessor, around.normalization)
    except UnsupportedDetectorError as error:
        raise UnsupportedDetectorError(f"{config} cannot be the base detector: {error}") from None
    weights = read_tensors(checkpoint)
    load_strictly(theirs, weights, checkpoint)
    ours = build_detector(architecture, around)
    ours.load_state_dict(theirs.state_dict())
    if part := first_difference(theirs.eval(), ours.eval()):
        raise UnsupportedDetectorError(
            f"{config} cannot be the base detector: {part} are not those of the standard detector with "
            "the same layers and weights, so it has a setting there that is not supported"
        )
    return architecture, dict(ours.state_dict())


def _read(path: Path) -> Config:
    try:
        content = Config.fromfile(path)
    # a config is a program, which may fail in any way
    except Exception as error:
        raise UnsupportedDetectorError(
            f"{path} cannot be read as an mmdet config: {type(error).__name__}: {error}"
        ) from error
    if "model" not in content:
        raise UnsupportedDetectorError(
            f"{path} is no mmdet config of a detector: it has no `model`"
        )
    return content


def _build(content: Config, path: Path) -> Any:
    register_modules()
    try:
        return revert_sync_batchnorm(MODELS.build(_unsynchronised(content.model)))
    except Exception as error:
        raise UnsupportedDetectorError(
            f"mmdet cannot build the model of {path}: {type(error).__name__}: {error}"
        ) from error


def _unsynchronised(part: Any) -> Any:
    """A part of a config whose synchronised norms are batch normalisations, which they are to one process.

    Not after the building alone: mmengine's reverted layers are of a class of their own.
    """
    if isinstance(part, dict):
        kind = {"type": "BN"} if part.get("type") in SYNCHRONISED else {}
        return type(part)({key: _unsynchronised(value) for key, value in part.items()} | kind)
    if isinstance(part, list | tuple):
        return type(part)(_unsynchronised(value) for value in part)
    return part


def _check_classes(content: Config, architecture: Architecture, classes: Sequence[str]) -> None:
    if architecture.classes != len(classes):
        raise UnsupportedDetectorError(
            f"it has {architecture.classes} classes, the dataset {len(classes)}"
        )
    named = class_names(content)
    if named is None or tuple(named) == tuple(classes):
        return
    if set(named) == set(classes):
        raise UnsupportedDetectorError(
            f"it has the dataset's classes in another order: {_listed(named)}, not {_listed(classes)}"
        )
    raise UnsupportedDetectorError(
        f"its classes are not the dataset's: {_listed(sorted(set(named) - set(classes)))} instead of "
        f"{_listed(sorted(set(classes) - set(named)))}"
    )


def class_names(content: Config) -> Sequence[str] | None:
    """The classes of the datasets in an mmdet config, in the order of the labels; `None` if unnamed."""
    for name in DATALOADERS:
        dataset = (content.get(name) or {}).get("dataset")
        while dataset and "dataset" in dataset:
            dataset = dataset["dataset"]
        if not dataset:
            continue
        given = dataset.get("metainfo") or {}
        kind = DATASETS.get(dataset["type"]) if isinstance(dataset.get("type"), str) else None
        for metainfo in (given, getattr(kind, "METAINFO", {})):
            for key in ("classes", "CLASSES"):
                if metainfo.get(key):
                    names = metainfo[key]
                    return (names,) if isinstance(names, str) else tuple(names)
    return None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _check_pixels(preprocessor: Any, normalization: Normalization) -> None:
    """Raise unless pixels enter the detector as the config of this run says."""
    theirs: Mapping[str, Any] = {
        "mean": getattr(preprocessor, "mean", torch.zeros(0)).flatten().tolist(),
        "std": getattr(preprocessor, "std", torch.zeros(0)).flatten().tolist(),
    }
    for name, values in theirs.items():
        ours = getattr(normalization, name)
        if len(values) != 3 or any(
            abs(one - other) > 1e-3 for one, other in zip(values, ours, strict=True)
        ):
            raise UnsupportedDetectorError(
                f"its pixels have the {name} {[round(v, 3) for v in values]}, but normalization.{name} "
                f"is {list(ours)}: set that to the detector's"
            )
    if not getattr(preprocessor, "_channel_conversion", False):
        raise UnsupportedDetectorError("its images must be RGB (bgr_to_rgb: true), not BGR")


def first_difference(theirs: Any, ours: Any) -> str | None:
    """The first part of two detectors whose outputs differ for the same input; `None` if none does.

    Args:
        theirs: a Faster R-CNN in eval mode. It sees a random image; its anchors, what it pools of four
            RoIs, and the boxes that it decodes are compared, too.
        ours: another one with the same weights.
    """
    outputs = zip(_outputs(theirs), _outputs(ours), strict=True)
    for (part, their_tensors), (_, our_tensors) in outputs:
        if len(their_tensors) != len(our_tensors):
            return part
        for one, other in zip(their_tensors, our_tensors, strict=True):
            if one.shape != other.shape:
                return part
            if not torch.allclose(one, other, rtol=1e-4, atol=1e-5 * float(one.abs().max())):
                return part
    return None


@torch.no_grad()
def _outputs(model: Any) -> Iterator[tuple[str, Sequence[torch.Tensor]]]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1, 3, 128, 160, generator=generator)
    yield "the backbone's feature maps", (maps := model.backbone(images))
    yield "the FPN's levels", (levels := model.neck(maps))
    scores, deltas = model.rpn_head(levels)
    yield "the RPN's scores and boxes", [*scores, *deltas]
    priors = model.rpn_head.prior_generator
    sizes = [level.shape[-2:] for level in levels]
    yield "the anchors", priors.grid_priors(sizes, device="cpu")
    # one for each level that the head pools from
    rois = torch.tensor(
        [[0, 8, 8, 40, 50], [0, 3, 5, 100, 90], [0, 0, 0, 300, 280], [0, 0, 0, 600, 500.0]]
    )
    roi_head = model.roi_head
    pooled = roi_head.bbox_roi_extractor(levels[: roi_head.bbox_roi_extractor.num_inputs], rois)
    yield "the RoI features", [pooled]
    scores, boxes = roi_head.bbox_head(pooled)
    yield "the class scores and boxes", [scores, boxes]
    moves = torch.rand(len(rois), 4, generator=generator)
    yield (
        "the decoded boxes",
        [
            roi_head.bbox_head.bbox_coder.decode(rois[:, 1:], moves),
            model.rpn_head.bbox_coder.decode(rois[:, 1:], moves),
        ],
    )
