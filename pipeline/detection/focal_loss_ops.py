"""The focal losses of `mmcv._ext`, in plain PyTorch: torchvision has no kernels for them.

Like all of `mmcv._ext` they fill the buffers that mmcv's Python side allocates and, being called inside
its `autograd.Function`, come with their backward written out. float16 and bfloat16 are computed in
float32.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Focal loss of every entry, into `output` (N, C).

    Args:
        input: Logits, (N, C).
        target: The row's class, (N,), int64; one outside 0..C-1 makes every column negative, which is
            how mmdet marks background (C).
        weight: Loss weight of each class, (C,), applied to the whole row of that target; or empty.
        output: The buffer to fill.
        gamma: Focusing parameter.
        alpha: Weight of positive entries; negative ones have 1 - alpha.

    Raises:
        IndexError: If `weight` is given and a target is C or more (on CUDA: a device-side assertion).
    """
    positive, logits = _right_logits(input, target)
    loss = -((-logits).sigmoid() ** gamma) * logsigmoid(logits)
    output.copy_(_balanced(loss, positive, target, weight, alpha))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Gradient of the summed loss of `sigmoid_focal_loss_forward`, into `grad_input` (N, C)."""
    positive, logits = _right_logits(input, target)
    wrong = (-logits).sigmoid()
    # d/dz [-(1 - pt)^gamma log pt], with z the logit of pt.
    grad = (wrong**gamma) * (gamma * logits.sigmoid() * logsigmoid(logits) - wrong)
    grad = torch.where(positive, grad, -grad)
    grad_input.copy_(_balanced(grad, positive, target, weight, alpha))


def _right_logits(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Which entries are positive, and the logit of being right: x there, -x elsewhere.

    The sigmoid of that logit is the focal-loss paper's p_t, and its log-sigmoid stays exact where mmcv's
    kernel has to clamp the logarithm.
    """
    logits = input.to(torch.promote_types(input.dtype, torch.float32))
    positive = target[:, None] == torch.arange(input.shape[1], device=target.device)
    return positive, torch.where(positive, logits, -logits)


def _balanced(
    entries: Tensor, positive: Tensor, target: Tensor, weight: Tensor, alpha: float
) -> Tensor:
    balanced = torch.where(positive, alpha * entries, (1 - alpha) * entries)
    return balanced * weight[target, None] if weight.numel() else balanced


def softmax_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Focal loss of every row, into `output` (N,).

    Args:
        input: Class probabilities (mmcv applies the softmax), (N, C).
        target: The row's class, (N,), int64; a negative one is ignored: its loss is 0.
        weight: Loss weight of each class, (C,), or empty.
        output: The buffer to fill.
        gamma: Focusing parameter.
        alpha: Factor of every row.
    """
    right, log_right, factor = _row_terms(input, target, weight, alpha)
    output.copy_(-factor * (1 - right) ** gamma * log_right)


def softmax_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Gradient of the summed loss with respect to the logits behind `input`, into `grad_input` (N, C).

    `buff` (N,) receives the factor each row's (one-hot - probabilities) is multiplied by, as in mmcv.
    """
    right, log_right, factor = _row_terms(input, target, weight, alpha)
    wrong = 1 - right
    # wrong ** (gamma - 1) is infinite at wrong = 0 for gamma < 1, where its product with log(1) = 0 is 0.
    focus = torch.where(wrong > 0, wrong ** (gamma - 1) * log_right, 0)
    buff.copy_(factor * (gamma * right * focus - wrong**gamma))
    one_hot = target[:, None] == torch.arange(input.shape[1], device=target.device)
    grad_input.copy_(buff[:, None] * (one_hot.to(input.dtype) - input))


def _row_terms(
    input: Tensor, target: Tensor, weight: Tensor, alpha: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The target's probability, its logarithm, and alpha * weight (0 where the target is ignored)."""
    label = target.clamp(min=0)
    right = input.gather(1, label[:, None]).squeeze(1)
    right = right.to(torch.promote_types(right.dtype, torch.float32))
    log_right = right.clamp(min=torch.finfo(torch.float32).tiny).log()
    factor = alpha * (weight[label] if weight.numel() else 1) * (target >= 0)
    return right, log_right, factor
