"""What every component of an architecture is made of."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator

from pipeline.search_space.names import OperationName

STAGES = 4
"""Backbone stages, and pyramid levels that the neck refines: strides 4, 8, 16, 32."""


class Part(BaseModel):
    """A piece of an architecture file: unknown keys are errors, and nothing is changed in place."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Block(Part):
    """One layer: its operation (or its candidates, in a supernet), output channels and stride."""

    operation: OperationName | tuple[OperationName, ...]
    channels: PositiveInt
    stride: Literal[1, 2] = 1

    @model_validator(mode="after")
    def _candidates_differ(self) -> Block:
        if not isinstance(self.operation, str):
            if not self.operation:
                raise ValueError("a block needs at least one candidate operation")
            if len(set(self.operation)) < len(self.operation):
                raise ValueError("the candidate operations of a block must differ")
        return self
