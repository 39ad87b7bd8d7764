"""What the parts before have measured, as the two throughputs that `plan` takes of a GPU."""

from __future__ import annotations

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.report import Row

CANDIDATE = ("candidate", "2 images, float32")
SCREENING = ("screening", "as the stages compute, float32")
"""Part and case: a network without depthwise convolutions, and one that has them."""
NOT_MEASURED = "not measured"


def throughput(bench: Bench) -> None:
    """Report `plan.gpu_gmacs` of the candidate's step, and `plan.gpu_depthwise_gmacs` of the screening's.

    The second is depthwise work over what the dense work leaves of the step's time, at the first.
    """
    cases = {(part.name, row.get("case")): row for part in bench.report.parts for row in part.rows}
    candidate, screening = (cases.get(case, {}) for case in (CANDIDATE, SCREENING))
    dense = candidate.get("GMAC/s")
    bench.row(key="plan.gpu_gmacs", value=dense or NOT_MEASURED)
    bench.row(
        key="plan.gpu_depthwise_gmacs",
        value=_depthwise(screening, dense) if dense else NOT_MEASURED,
    )


def _depthwise(screening: Row, dense: float) -> float | str:
    if "later step, s" not in screening:
        return NOT_MEASURED
    depthwise = screening["of them depthwise"]
    left = screening["later step, s"] - (screening["GMAC of the plan"] - depthwise) / dense
    return depthwise / left if left > 0 else "depthwise convolutions take no time of their own"
