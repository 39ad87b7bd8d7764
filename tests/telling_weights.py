"""Weights for tests that compare the outputs of two detectors: whatever is misplaced shows."""

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def randomise_norms(model: nn.Module) -> None:
    """Batch normalisations away from their initial values, with statistics that no batch has."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.3)


def randomise(model: Any) -> None:
    """Norms, biases and the last layers of a two-stage detector away from their initial values."""
    randomise_norms(model)
    for name, parameter in model.named_parameters():
        if name.endswith("bias") and not parameter.any():
            parameter.data.normal_(0, 0.3)
    # the initial deviations of mmdet's last layers would make all boxes and scores alike
    head = model.roi_head.bbox_head
    for layer in (model.rpn_head.rpn_cls, model.rpn_head.rpn_reg, head.fc_cls):
        layer.weight.data.normal_(0, 0.3)
