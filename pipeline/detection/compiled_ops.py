"""What `mmcv._ext` offers, by torchvision's kernels (others: `focal_loss_ops`, `soft_nms_op`).

mmcv's Python side allocates the outputs and calls the functions below with the argument names of its
C++ binding; each fills the buffers it is given. Dispatch is torchvision's, so the same code serves CPU,
CUDA and meta tensors (the last only give shapes, which the compiled mmcv cannot do).

float16 and bfloat16 are computed in float32 and rounded into the buffers: torchvision has no bfloat16
kernels, and no float16 ones on the CPU.

Ops without an exact counterpart in torchvision exist, because mmcv checks for them on import, and raise
`NotImplementedError` when called. `roi_pool` is one of them: torchvision's rounds the box to whole cells
and mmcv's does not.
"""

from collections.abc import Callable
from importlib.metadata import version
from operator import itemgetter
from typing import Any, NoReturn

import torch
from torch import Tensor

from pipeline.detection.focal_loss_ops import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
    softmax_focal_loss_backward,
    softmax_focal_loss_forward,
)
from pipeline.detection.soft_nms_op import softnms


def _kernels() -> Any:
    # Imported at the first call: it takes about a second, and many processes import mmdet without
    # ever running one of these ops.
    import torchvision  # noqa: F401  (registers torch.ops.torchvision)

    return torch.ops.torchvision


def _widened(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Greedy non-maximum suppression.

    Args:
        boxes: (N, 4) as x1, y1, x2, y2.
        scores: (N,).
        iou_threshold: A box goes if its IoU with a kept one is larger than this.
        offset: 1 for the legacy convention in which x2 and y2 are the last pixels inside a box
            (width = x2 - x1 + 1), else 0.

    Returns:
        Indices of the kept boxes by falling score, (K,), int64.
    """
    boxes = _widened(boxes)
    if offset:
        # Widths, heights and overlaps of the legacy convention are those of boxes that end one later.
        boxes = torch.cat([boxes[:, :2], boxes[:, 2:] + offset], dim=1)
    return _kernels().nms(boxes, _widened(scores), iou_threshold)


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Average-pooling RoIAlign of `input` (B, C, H, W) at `rois` (K, 5) into `output` (K, C, h, w).

    Raises:
        NotImplementedError: If `pool_mode` is 0, which is `pool_mode='max'` in Python.
    """
    if pool_mode == 0:
        raise NotImplementedError(
            "roi_align: torchvision has no kernel for pool_mode='max'; use pool_mode='avg', or "
            f"{_HOW_TO_GET_THEM}"
        )
    features, boxes = _widened(input), _widened(rois)
    output.copy_(
        _kernels().roi_align(
            features, boxes, spatial_scale, aligned_height, aligned_width, sampling_ratio, aligned
        )
    )


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Gradient of `roi_align_forward` with respect to its input, into `grad_input` (B, C, H, W)."""
    grad_input.copy_(
        _kernels()._roi_align_backward(
            _widened(grad_output),
            _widened(rois),
            spatial_scale,
            aligned_height,
            aligned_width,
            *grad_input.shape,
            sampling_ratio,
            aligned,
        )
    )


# Offsets are laid out alike in mmcv and torchvision: per offset group and kernel cell, y then x.
# The scratch buffers (columns, ones) and `im2col_step` are not used: torchvision chooses its own.
# The numbers arrive as keywords; these are the ones torchvision wants, in its order.
_dcn_geometry = itemgetter(
    "dH", "dW", "padH", "padW", "dilationH", "dilationW", "group", "deformable_group"
)
_dcnv2_geometry = itemgetter(
    *("stride_h", "stride_w", "pad_h", "pad_w", "dilation_h", "dilation_w"),
    *("group", "deformable_group"),
)


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    **options: int,
) -> None:
    """Deformable convolution without modulation (DCN), into `output` (B, O, h, w)."""
    output.copy_(_deform_conv(input, weight, offset, None, None, _dcn_geometry(options)))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradInput: Tensor,
    gradOffset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **options: int,
) -> None:
    """Gradients of `deform_conv_forward`, into `gradInput` and `gradOffset`."""
    grads = _deform_conv_backward(gradOutput, input, weight, offset, None, _dcn_geometry(options))
    gradInput.copy_(grads[0])
    gradOffset.copy_(grads[2])


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradWeight: Tensor,
    columns: Tensor,
    ones: Tensor,
    *,
    scale: float,
    **options: int,
) -> None:
    """Add `scale` times the gradient with respect to the weight to `gradWeight` (O, C / group, kH, kW).

    torchvision's backward kernel gives all gradients at once, so a training step of DCN without
    modulation pays for it twice; with modulation (DCNv2) once.
    """
    # The weight's values enter the other gradients only.
    grads = _deform_conv_backward(
        gradOutput, input, gradWeight, offset, None, _dcn_geometry(options)
    )
    gradWeight.add_(grads[1], alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    *,
    with_bias: bool,
    **options: int,
) -> None:
    """Modulated deformable convolution (DCNv2), into `output` (B, O, h, w)."""
    output.copy_(
        _deform_conv(
            input, weight, offset, mask, bias if with_bias else None, _dcnv2_geometry(options)
        )
    )


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    *,
    with_bias: bool,
    **options: int,
) -> None:
    """Gradients of `modulated_deform_conv_forward`, into the five `grad_` buffers."""
    grads = _deform_conv_backward(
        grad_output, input, weight, offset, mask, _dcnv2_geometry(options)
    )
    for buffer, grad in zip(
        (grad_input, grad_weight, grad_offset, grad_mask), grads[:4], strict=True
    ):
        buffer.copy_(grad)
    if with_bias:
        grad_bias.copy_(grads[4])


def _deform_conv(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: tuple[int, ...],
) -> Tensor:
    tensors = _kernel_operands(input, weight, offset, mask, bias)
    return _kernels().deform_conv2d(*tensors, *geometry, mask is not None)


def _deform_conv_backward(
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    geometry: tuple[int, ...],
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of input, weight, offset, mask and bias."""
    tensors = _kernel_operands(input, weight, offset, mask, None)
    return _kernels()._deform_conv2d_backward(
        _widened(grad_output), *tensors, *geometry, mask is not None
    )


def _kernel_operands(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, bias: Tensor | None
) -> list[Tensor]:
    """The five tensors torchvision's schema asks for, with the stand-ins it wants for absent ones."""
    mask = input.new_zeros((len(input), 1)) if mask is None else mask
    bias = input.new_zeros(len(weight)) if bias is None else bias
    return [_widened(tensor) for tensor in (input, weight, offset, mask, bias)]


def get_compiler_version() -> str:
    """What mmcv reports as its compiler in the logged environment."""
    return f"none: torchvision {version('torchvision')} provides the ops"


def get_compiling_cuda_version() -> str:
    """What mmcv reports as the CUDA version of its ops: torch's, whose build torchvision follows."""
    return torch.version.cuda or "not available"


# Without build isolation mmcv's setup.py sees torch, and then compiles its ops.
_HOW_TO_GET_THEM = (
    "install an mmcv with compiled ops, which then replaces torchvision's: `pip install "
    "--no-build-isolation --no-binary onedl-mmcv --no-deps --force-reinstall onedl-mmcv` "
    "(needs a C++ compiler; FORCE_CUDA=1 and nvcc for the GPU)"
)


def _unavailable(name: str) -> Callable[..., NoReturn]:
    """Module-level `__getattr__` of `mmcv._ext`: a function that says why it cannot be called."""
    if name.startswith("__"):  # Python's own probing (`__path__`, `__wrapped__`)
        raise AttributeError(f"module 'mmcv._ext' has no attribute '{name}'")

    def unavailable(*args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError(
            f"mmcv._ext.{name}: torchvision has no such op; to use it, {_HOW_TO_GET_THEM}"
        )

    return unavailable


def extension_attributes() -> dict[str, Any]:
    """The attributes of `mmcv._ext`: the ops above, and a `__getattr__` for all others."""
    ops = (
        nms,
        softnms,
        roi_align_forward,
        roi_align_backward,
        deform_conv_forward,
        deform_conv_backward_input,
        deform_conv_backward_parameters,
        modulated_deform_conv_forward,
        modulated_deform_conv_backward,
        sigmoid_focal_loss_forward,
        sigmoid_focal_loss_backward,
        softmax_focal_loss_forward,
        softmax_focal_loss_backward,
        get_compiler_version,
        get_compiling_cuda_version,
    )
    return {op.__name__: op for op in ops} | {"__getattr__": _unavailable}
