"""The names of the candidate operations of Hit-Detector (appendix 6.1). Imports no torch.

An operation's name is its definition: `ir_k5_d2_e6` is an inverted residual block with kernel 5,
dilation 2 and expansion 6; `sep_k3_d1` a separable block; `conv_k3_d1` a plain convolution block.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

CANDIDATES: tuple[str, ...] = (
    *(f"ir_k{k}_d{d}_e{e}" for k in (3, 5) for d in (1, 2, 3) for e in (1, 3, 6)),
    "ir_k7_d1_e1",
    "ir_k7_d1_e6",
    *(f"sep_k{k}_d{d}" for k in (3, 5) for d in (1, 2, 3)),
    *(f"conv_k{k}_d{d}" for k in (3, 5) for d in (1, 2, 3)),
)
"""The 32 operations of the whole search space, in the order of the paper's appendix."""

_NAME = re.compile(r"(?:(ir)_k(\d+)_d(\d+)_e(\d+)|(sep|conv)_k(\d+)_d(\d+))\Z")


@dataclass(frozen=True)
class OperationSpec:
    """What an operation's name says. `expansion` is 1 for `sep` and `conv`, which have none."""

    kind: str
    kernel: int
    dilation: int
    expansion: int = 1

    @classmethod
    def parse(cls, name: str) -> OperationSpec:
        """Read an operation's name.

        Names outside the 32 candidates are valid when they follow the grammar: the released
        Hit-Detector ends in a 1×1 convolution block, `conv_k1_d1`.

        Raises:
            ValueError: the name does not follow the grammar, or its kernel is even.
        """
        match = _NAME.match(name)
        if match is None:
            raise ValueError(
                f"unknown operation {name!r}: expected ir_k<kernel>_d<dilation>_e<expansion>, "
                "sep_k<kernel>_d<dilation> or conv_k<kernel>_d<dilation>"
            )
        kind, *numbers = [group for group in match.groups() if group is not None]
        spec = cls(kind, *map(int, numbers))
        if spec.kernel % 2 == 0 or min(spec.kernel, spec.dilation, spec.expansion) < 1:
            raise ValueError(
                f"operation {name!r}: the kernel must be odd, dilation and expansion positive"
            )
        return spec


def _known(name: str) -> str:
    OperationSpec.parse(name)
    return name


OperationName = Annotated[str, AfterValidator(_known)]
"""A string that names an operation, in pydantic models."""
