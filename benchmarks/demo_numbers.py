"""The numbers of the demo that the pages quote: taken from a finished run, and put into the pages.

    PYTHONPATH=. .venv/bin/python -m benchmarks.demo_numbers results/embedded

It writes docs/data/demo.json from a run of `make demo` and `snakemake front` after it, and puts the
numbers where `QUOTES` says that pages hold them. A run without a front leaves the former one there, with
its date. Words are not changed: read the sentences around the numbers that it prints. Without a run it
puts what docs/data holds into the pages.
docs/data/hit_random.json, of four seeds with random networks, is kept by hand; docs/data/front_bccd.csv
is `front/front.csv` of a run of config/examples/front_bccd.yaml.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.artifacts.files import read_json
from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.report.stage_times import time_passed

ROOT = Path(__file__).parents[1]
DATA = ROOT / "docs" / "data"
DETECTORS = {
    "searched": "hit_detector",
    "base": "joint_detnas/base",
    "base_longer": "joint_detnas/base_longer",
    "student": "joint_detnas/student",
}
"""Their folders in a run."""
NOT_OF_THE_DEMO = ("front", "picked", "ablations")
"""Folders of what `make demo` does not run."""
SHOWN_SUBNETS = 4
"""Of the front, from its fastest to its slowest one."""


@dataclass(frozen=True)
class Quote:
    """A place where a page holds numbers.

    Attributes:
        page: from the project's root.
        text: as it stands there, with `{name:format}` in the place of each number, as `values` names them.
    """

    page: str
    text: str

    def filled(self, values: Mapping[str, Any]) -> str:
        """What the page must hold."""
        return self.text.format(**values)

    @property
    def pattern(self) -> re.Pattern[str]:
        """The same with any numbers, or any rows in the place of a table."""
        parts = re.split(r"(\{\w+(?::[^}]*)?\})", self.text)
        return re.compile(
            "".join(
                re.escape(part)
                if not part.startswith("{")
                else r"(?:\|.*\n)+"
                if "_rows" in part
                else r"\d+ \w+ \d+"
                if part in ("{date}", "{front_date}")
                else r"-?\d+(?:\.\d+)?"
                for part in parts
            )
        )


QUOTES = tuple(
    Quote(page, text)
    for page, texts in {
        "README.md": (
            "On two cores it took {minutes:.0f} minutes.",
            "on the {images} test images, seed {seed},",
            "searched by Hit-Detector | {searched_mmacs:.0f} | **{searched_AP:.3f}** | {searched_AP50:.3f} |",
            "alike: mean (best) | {random_0_mmacs} | {random_0_mean:.3f} ({random_0_best:.3f}) | |",
            "MACs, trained alike | {plain_mmacs} | {plain_AP:.3f} | {plain_AP50:.3f} |",
            "width 0.375 | {base_mmacs:.0f} | {base_AP:.3f} | {base_AP50:.3f} |",
            "as the student | {base_longer_mmacs:.0f} | {base_longer_AP:.3f} | {base_longer_AP50:.3f} |",
            "| student of Joint-DetNAS | {student_mmacs:.0f} | {student_AP:.3f} | {student_AP50:.3f} |",
            "epochs | {c_baseline_r18_ms:.1f} | {c_baseline_r18_AP:.3f} | {c_baseline_r18_AP50:.3f} |",
            "best subnet | {c_subnet_16_ms:.1f} | {c_subnet_16_AP:.3f} | {c_subnet_16_AP50:.3f} |",
            "tell from it | {c_subnet_11_ms:.1f} | {c_subnet_11_AP:.3f} | {c_subnet_11_AP50:.3f} |",
            "above 0.8 | {c_subnet_5_ms:.1f} | {c_subnet_5_AP:.3f} | {c_subnet_5_AP50:.3f} |",
            "by {gain:.3f} AP over four seeds (95 % interval {gain_low:.3f} to {gain_high:.3f})",
            "at {student_saves:.0f} % fewer MACs",
        ),
        "docs/start/demo.md": (
            "it took {minutes:.0f} minutes ({date}), with at most {peak_gib:.1f} GiB of memory a stage",
        ),
        "docs/howto/front.md": (
            "run of {front_date}, seed {seed}, after `make demo`: {front_minutes:.0f} minutes of stages",
            "{front_evaluated} subnets were evaluated.",
            "subnets was {front_median_error:.1f} %, the greatest {front_worst_error:.1f} %.",
            "| dominated by |\n|---|---|---|---|---|---|---|\n{front_rows}",
            "spans a factor of {front_span:.1f} in time",
        ),
        "docs/howto/mmdet.md": (
            "(seed {seed}, {images} test images) it printed\n{searched_AP:.3f}, as the file has.",
        ),
        "docs/methods/does_it_search.md": (
            "best, number | finalist |\n|---|---|---|---|\n{seeds_rows}",
            "scaled to {plain_mmacs} MMACs reaches {plain_AP:.3f} (AP50 {plain_AP50:.3f}) by",
            "The gain is {gain:.3f} on average,",
            "standard error over the runs of {gain_error:.3f}, and a",
            "four runs) from {gain_low:.3f} to {gain_high:.3f}.",
            "standard error is then\n  {blind_error:.3f}, and the gain",
            "p is {p:.3f}.",
            "{gain:.3f} more AP over four seeds, 95 % interval {gain_low:.3f} to {gain_high:.3f}",
        ),
    }.items()
    for text in texts
)
"""All places."""


def demo_numbers(run: Path) -> dict[str, Any]:
    """What the pages quote of a run.

    Args:
        run: its folder, after `make demo`, and `snakemake front` if its numbers are to change.

    Raises:
        DetSearchError: something of it is missing or damaged.
    """
    manifests = {
        path.parent.relative_to(run).as_posix(): Manifest.load(path)
        for path in sorted(run.rglob(MANIFEST))
    }
    demo = [each for folder, each in manifests.items() if not _below(folder, NOT_OF_THE_DEMO)]
    detectors = {}
    for name, folder in DETECTORS.items():
        metrics = read_json(run / folder / "evaluation/metrics.json")
        detectors[name] = {key: metrics[key] for key in ("AP", "AP50", "params", "macs")}
    images = read_json(run / "data/detection/dataset.json")["statistics"]["test"]["images"]
    searched = manifests[f"{DETECTORS['searched']}/evaluation"]
    return {
        "format": 1,
        "made": "python -m benchmarks.demo_numbers, from a run of `make demo`",
        "created": max(each.created for each in demo),
        "seed": searched.seed,
        "device": searched.device,
        "packages": searched.packages,
        "images": images,
        "minutes": round(time_passed(demo) / 60, 2),
        "peak_memory": max(each.peak_memory or 0 for each in demo),
        "detectors": detectors,
        "front": _front(run, manifests)
        if (run / "front" / "front.json").exists()
        else read_json(DATA / "demo.json")["front"],
    }


def _below(folder: str, names: Sequence[str]) -> bool:
    return folder.partition("/")[0] in names


def _front(run: Path, manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    front, predictor = (
        read_json(run / "front" / name) for name in ("front.json", "predictor/predictor.json")
    )
    rows = [
        {
            **{key: row[key] for key in ("name", "kind", "resolution", "macs", "dominated_by")},
            "milliseconds": row["latency"]["median"],
            "AP": row["test"]["ap"],
            "AP50": row["test"]["ap50"],
        }
        for row in front["rows"]
    ]
    own = [each for folder, each in manifests.items() if _below(folder, ("front",))]
    return {
        "created": max(each.created for each in own),
        "minutes": round(time_passed(own) / 60, 2),
        "evaluated": front["evaluated"],
        "median_error": predictor["median_error"],
        "worst_error": predictor["worst_error"],
        "rows": rows,
    }


def _date(created: str) -> str:
    day = datetime.fromisoformat(created)
    return f"{day.day} {day:%B %Y}"


def values(
    demo: Mapping[str, Any], random: Mapping[str, Any], cells: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """The numbers by the names of `QUOTES`, in the pages' units.

    Args:
        demo: of docs/data/demo.json.
        random: of docs/data/hit_random.json.
        cells: rows of docs/data/front_bccd.csv.
    """
    found = {
        "seed": demo["seed"],
        "images": demo["images"],
        "minutes": demo["minutes"],
        "date": _date(demo["created"]),
        "front_date": _date(demo["front"]["created"]),
        "peak_gib": demo["peak_memory"] / 2**30,
        **{
            key: value
            for key, value in random.items()
            if key == "p" or key.startswith(("gain", "blind"))
        },
        **{f"plain_{key}": value for key, value in random["plain"].items()},
        **{f"random_0_{key}": value for key, value in random["seeds"][0]["random"].items()},
        "seeds_rows": "".join(map(_seed_row, random["seeds"])),
    }
    columns = {"ms": "median_ms", "AP": "ap_test", "AP50": "ap50_test"}
    for row in cells:
        found |= {f"c_{row['name']}_{key}": float(row[column]) for key, column in columns.items()}
    for name, detector in demo["detectors"].items():
        found |= {f"{name}_{key}": value for key, value in detector.items()}
        found[f"{name}_mmacs"] = detector["macs"] / 1e6
    found["student_saves"] = 100 * (1 - found["student_macs"] / found["base_macs"])
    front = demo["front"]
    subnets = [row for row in front["rows"] if row["kind"] == "subnet"]
    times = [row["milliseconds"] for row in subnets]
    shown = [
        subnets[round(k * (len(subnets) - 1) / (SHOWN_SUBNETS - 1))] for k in range(SHOWN_SUBNETS)
    ]
    shown += [row for row in front["rows"] if row["kind"] != "subnet"]
    return found | {
        "front_minutes": front["minutes"],
        "front_evaluated": front["evaluated"],
        "front_median_error": 100 * front["median_error"],
        "front_worst_error": 100 * front["worst_error"],
        "front_span": max(times) / min(times),
        "front_rows": "".join(map(_front_row, shown)),
    }


def _seed_row(row: Mapping[str, Any]) -> str:
    random = row["random"]
    return (
        f"| {row['seed']} | **{row['AP']:.3f}**, {row['AP50']:.3f}, {row['mmacs']} | {random['mean']:.3f},"
        f" {random['deviation']:.3f}, {random['best']:.3f}, {random['networks']} | {row['finalist']} of 6 |\n"
    )


def _front_row(row: Mapping[str, Any]) -> str:
    cells = (
        row["name"],
        " × ".join(map(str, row["resolution"])),
        f"{row['macs'] / 1e9:.3f}",
        f"{row['milliseconds']:.1f}",
        f"{row['AP']:.3f}",
        f"{row['AP50']:.3f}",
        ", ".join(row["dominated_by"]),
    )
    return f"| {' | '.join(cells)} |\n".replace("|  |", "| |")


def stored() -> dict[str, Any]:
    """`values` of what docs/data holds."""
    with (DATA / "front_bccd.csv").open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    return values(read_json(DATA / "demo.json"), read_json(DATA / "hit_random.json"), cells)


def put_into_pages(root: Path, found: Mapping[str, Any]) -> Iterator[str]:
    """Write the numbers into the pages, and yield each place where one changed.

    Raises:
        ValueError: a page holds a quote not once.
    """
    for quote in QUOTES:
        page = root / quote.page
        text = page.read_text(encoding="utf-8")
        places = quote.pattern.findall(text)
        if len(places) != 1:
            raise ValueError(
                f"{quote.page} holds this {len(places)} times, not once: {quote.text!r}"
            )
        filled = quote.filled(found)
        if places[0] != filled:
            page.write_text(text.replace(places[0], filled), encoding="utf-8")
            yield f"{quote.page}: {filled}"


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.demo_numbers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, nargs="?", help="folder of a run, results/<run>")
    arguments = parser.parse_args(argv)
    if arguments.run:
        text = json.dumps(demo_numbers(arguments.run), indent=1) + "\n"
        (DATA / "demo.json").write_text(text, encoding="utf-8")
        if not (arguments.run / "front" / "front.json").exists():
            print(f"{arguments.run} holds no front: the former one stays, with its date")
    for place in put_into_pages(ROOT, stored()):
        print(place.rstrip())


if __name__ == "__main__":
    main()
