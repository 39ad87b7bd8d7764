"""The distillation losses of Joint-DetNAS (sections 3.2 and 3.3) as functions of tensors.

R: proposals, P: positive ones among them, C: object classes, L: pyramid levels, D: channels of the
teacher's pyramid, S: side of the RoI features. A sum over nothing is zero, and has gradients (zeros).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import DetSearchError


class DistillationError(DetSearchError):
    """Two detectors that cannot be teacher and student, or a detector that cannot be either."""


def feature_loss(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Squared distance of RoI features on all pyramid levels (section 3.2.1).

    L_feat = 1/N_p · Σ_l Σ_i Σ_j Σ_c (f_adap(F_S^l)_ijc − (F_T^l)_ijc)²

    N_p, "the number of mask's positive points", counts the points of all positive proposals, P · S²:
    the mask that the equation knows is here the RoI grid, which is the same on every level.

    Args:
        student: adapted features f_adap(F_S^l) of each level, (P, D, S, S).
        teacher: features F_T^l of each level, (P, D, S, S).
    """
    points = max(1, student[0][:, 0].numel())
    distances = [
        functional.mse_loss(adapted, target, reduction="sum")
        for adapted, target in zip(student, teacher, strict=True)
    ]
    return torch.stack(distances).sum() / points


def relative_feature_loss(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """L_feat as a share of the teacher's features, averaged over the pyramid levels.

    1/L · Σ_l [Σ_p,i,j,c (f_adap(F_S^l) − F_T^l)² / Σ_p,i,j,c (F_T^l)²]

    It is one where the student has no features, zero where it has the teacher's, whatever the number of
    levels, channels and proposals, and does not change when all features grow by a factor.

    Args:
        student: adapted features f_adap(F_S^l) of each level, (P, D, S, S).
        teacher: features F_T^l of each level, (P, D, S, S).
    """
    shares = [
        functional.mse_loss(adapted, target, reduction="sum")
        / target.square().sum().clamp(min=torch.finfo(target.dtype).tiny)
        for adapted, target in zip(student, teacher, strict=True)
    ]
    return torch.stack(shares).mean()


def class_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Soft cross entropy of class scores, less the teacher's entropy (section 3.2.2).

    L_cls = −1/N · Σ_n P_t^n · log P_s^n + 1/N · Σ_n P_t^n · log P_t^n

    The first term is the paper's. The second, the teacher's own entropy, has no gradient: with it the
    loss is zero where the student agrees (it is the Kullback-Leibler divergence), and its curve says
    how far the student is. P: softmax of the logits, without a temperature; the paper names none.

    Args:
        student: logits of the C classes and background, (R, C + 1); N = R.
        teacher: the same of the teacher.
    """
    divergence = functional.kl_div(
        student.log_softmax(1), teacher.log_softmax(1), reduction="sum", log_target=True
    )
    return divergence / max(1, len(student))


def box_loss(student: Tensor, teacher: Tensor, teacher_logits: Tensor) -> Tensor:
    """Difference of the boxes of all classes, weighted by the teacher's scores (section 3.2.2).

    L_reg = 1/N · Σ_n Σ_d |Σ_i p_i^t · (reg_i^t − reg_i^s)_d|

    i runs over the foreground classes, d over the four coordinates. Boxes of background proposals
    weigh as little as the teacher takes them for objects.

    Args:
        student: regression outputs of each class, (R, 4 · C), class after class; N = R.
        teacher: the same of the teacher.
        teacher_logits: (R, C + 1), background last.
    """
    weights = teacher_logits.softmax(1)[:, :-1, None]
    difference = (teacher - student).unflatten(1, (-1, 4))
    return (weights * difference).sum(1).abs().sum() / max(1, len(student))


def batch_norm_sparsity(module: nn.Module) -> Tensor:
    """L_BN = Σ_γ |γ| over all batch norms of a module (section 3.3); the paper weighs it by 1e-5.

    Args:
        module: what channel pruning narrows: a detector's backbone.

    Raises:
        DistillationError: the module has no batch norm.
    """
    scales: list[Tensor] = [
        layer.weight
        for layer in module.modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.affine
    ]
    if not scales:
        raise DistillationError(
            f"{type(module).__name__} has no batch norm whose scales could become sparse"
        )
    return torch.cat(scales).abs().sum()
