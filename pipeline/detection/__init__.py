"""Everything around mmdet: configs and runners, torchvision's kernels for mmcv, evaluation, export.

Nothing is imported here: `pipeline` itself passes through on its way to `op_finder`.
"""
