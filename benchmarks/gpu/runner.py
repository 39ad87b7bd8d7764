"""Run the parts, each within its time limit; the chain beside those that time nothing."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.gpu.bench import Bench, OutOfTimeError, one_line, time_limit
from benchmarks.gpu.report import PartResult, Report


@dataclass(frozen=True)
class Part:
    """A part of the check.

    Attributes:
        run: reports its rows.
        limit: seconds it may take if nobody says otherwise.
        beside: whether it runs in a thread while later parts run; it must keep its limit by itself. Later
            parts wait for its end before they time anything.
    """

    run: Callable[[Bench], None]
    limit: float
    beside: bool = False


def run_parts(
    parts: Mapping[str, Part],
    report: Report,
    device: torch.device,
    *,
    tiny: bool,
    limits: Mapping[str, float],
    total: float,
) -> list[str]:
    """Run parts in their order; returns what is wrong.

    Args:
        parts: by name.
        report: where rows go.
        device: to try.
        tiny: sizes of a quick try.
        limits: seconds of parts, where they are not to be the parts' own.
        total: seconds of all together.
    """
    end = time.monotonic() + total
    beside: list[threading.Thread] = []

    def quiet() -> None:
        # short waits, or no signal would be handled meanwhile
        while any(thread.is_alive() for thread in beside):
            time.sleep(0.05)

    for name, part in parts.items():
        limit = min(limits.get(name, part.limit), end - time.monotonic())
        result = report.begin(name, max(limit, 0.0))
        if limit < 0.2:
            result.late = True
            report.end(result, 0.0)
            continue
        bench = Bench(device, tiny, report.folder, report, result, quiet)
        if part.beside:
            thread = threading.Thread(target=_run, args=(part, bench, report, result), name=name)
            thread.start()
            beside.append(thread)
        else:
            try:
                with time_limit(limit):
                    _run(part, bench, report, result)
            except OutOfTimeError:
                # it came again while the first one was handled
                result.late = True
            bench.free()
    quiet()
    return report.problems


def _run(part: Part, bench: Bench, report: Report, result: PartResult) -> None:
    began = time.monotonic()
    try:
        part.run(bench)
    except OutOfTimeError:
        result.late = True
    except Exception as error:
        traceback.print_exc()
        result.problems.append(one_line(error))
    finally:
        report.end(result, time.monotonic() - began)


def chosen(
    parts: Mapping[str, Part], only: Sequence[str], without: Sequence[str]
) -> dict[str, Part]:
    """The parts that were asked for, in their order.

    Raises:
        ValueError: there is no part of a name.
    """
    unknown = [name for name in (*only, *without) if name not in parts]
    if unknown:
        raise ValueError(f"no part is named {', '.join(unknown)}: there are {', '.join(parts)}")
    return {
        name: part
        for name, part in parts.items()
        if (not only or name in only) and name not in without
    }


def parse_limits(given: Sequence[str], parts: Mapping[str, Part]) -> dict[str, float]:
    """Limits from the command line, each PART=SECONDS.

    Raises:
        ValueError: another form, or no part of the name.
    """
    limits: dict[str, float] = {}
    for each in given:
        name, _, seconds = each.partition("=")
        if name not in parts:
            raise ValueError(f"no part is named {name}: there are {', '.join(parts)}")
        limits[name] = float(seconds)
    return limits


def default_folder() -> Path:
    """Where the report goes if nobody says otherwise; git ignores it."""
    return Path("results/gpu")
