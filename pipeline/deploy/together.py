"""The record of a run's detectors that were timed in turns."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.deploy.latency import Latencies, ModelLatency

LATENCIES = "latencies.json"


class TimedTogether(BaseModel):
    """`latencies.json`: the detectors that the report compares.

    Attributes:
        latencies: the measurement; its models are named by their folders, from the run's. None where no
            detector could be timed.
        not_timed: by folder, why a detector was not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    latencies: Latencies | None
    not_timed: dict[str, str]

    def find(self, folder: str) -> ModelLatency | None:
        """The times of the detector in a folder; None where it was not timed."""
        models = self.latencies.models if self.latencies else ()
        return next((each for each in models if each.model == folder), None)
