"""The rows of docs/reference/staleness.md: a change, and what runs again after it on a finished run.

`test_staleness.py` checks each row with a dry run. To write the page:
`PYTHONPATH=. .venv/bin/python tests/workflow/staleness_rows.py`
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/reference/staleness.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"

CONFIG = "config/test.yaml"


OF_ALL = ("time_detectors", "draw_report")
"""Jobs that look at all detectors of a run."""


def together(*parts: dict[str, int]) -> dict[str, int]:
    """What several changes make stale, each of whose jobs is another; those of `OF_ALL` are one each."""
    jobs: dict[str, int] = {}
    for part in parts:
        for name, count in part.items():
            jobs[name] = 1 if name in OF_ALL else jobs.get(name, 0) + count
    return jobs


AFTER_TRAINING = {"evaluate": 1, "time_detectors": 1, "draw_report": 1}
AFTER_SEARCH = {"derive": 1, "pretrain_backbone": 1, "train_detector": 1, **AFTER_TRAINING}
SEARCH = {"search": 1, **AFTER_SEARCH}
SCREENING = {"screen": 3, "pretrain_search_supernet": 1, **SEARCH}
JOINT = {"screen_jointly": 1, "take_screened": 3, "pretrain_search_supernet": 1, **SEARCH}
AFTER_STUDENT = {
    "take_student": 1,
    "trace_descent": 1,
    "refine_detector": 1,
    "evaluate": 2,
    "draw": 1,
    "time_detectors": 1,
    "draw_report": 1,
}
"""The student, and the base trained as long; what the report draws of them."""
AFTER_CANDIDATES = {
    "propose": 1,
    "evaluate_candidate": 4,
    "rank": 2,
    "remove_weights": 2,
    **AFTER_STUDENT,
}
"""What follows where the first generation's candidates are other ones."""
CLIMB = {**AFTER_CANDIDATES, "propose": 2}
POOL_AND_CLIMB = {"shrink_pool": 2, **CLIMB}
BASE = {"train_student": 1, "evaluate": 1}
JOINT_DETNAS = together({"choose_network": 1}, BASE, POOL_AND_CLIMB)
AFTER_DETECTION_DATA = together({"prepare_detection_data": 1}, SCREENING, JOINT_DETNAS)
EVERYTHING = {
    "prepare_classification_data": 1,
    "pretrain_screening_supernet": 1,
    **AFTER_DETECTION_DATA,
}
AFTER_THE_DATA = {
    name: count for name, count in EVERYTHING.items() if not name.startswith("prepare_")
}


@dataclass(frozen=True)
class Row:
    """A change in one file, and the jobs that it makes stale.

    Attributes:
        change: for people.
        file: that is edited.
        old: text that occurs once in it.
        new: what replaces it.
        stale: rules that run again, with the number of their jobs.
    """

    change: str
    file: str
    old: str
    new: str
    stale: dict[str, int]

    def line(self) -> str:
        """The row in the page's table."""
        again = [name if count == 1 else f"{name} ({count})" for name, count in self.stale.items()]
        shown = ", ".join(again) or "nothing"
        if self.stale == EVERYTHING:
            shown = "everything"
        elif self.stale == AFTER_THE_DATA:
            shown = "everything but the data, which have seeds of their own"
        return f"| {self.change} | `{self.file}` | {shown} |"


ROWS = (
    Row("a comment, spaces", CONFIG, "\nsearch:\n", "\n# why\nsearch:   # and why\n", {}),
    Row(
        "a key that says what the default says",
        CONFIG,
        "\nscreening:\n",
        "\nscreening:\n  mu: 0.1\n",
        {},
    ),
    Row(
        "`run.checkpoint_seconds`, `run.device`, `run.fork_server`: how a stage runs",
        CONFIG,
        "\nrun:\n",
        "\nrun:\n  checkpoint_seconds: 5\n",
        {},
    ),
    Row(
        "`evaluation.latency`: on what detectors are timed together",
        CONFIG,
        "latency: {images: 2, rounds: 2}",
        "latency: {images: 3, rounds: 2}",
        {"time_detectors": 1, "draw_report": 1},
    ),
    Row("`run.seed`", CONFIG, "\nrun:\n", "\nrun:\n  seed: 7\n", AFTER_THE_DATA),
    Row(
        "`data.detection`",
        CONFIG,
        "train_images: 24",
        "train_images: 25",
        AFTER_DETECTION_DATA,
    ),
    Row("`screening`", CONFIG, "\nscreening:\n", "\nscreening:\n  mu: 0.2\n", SCREENING),
    Row(
        "`screening.joint`",
        CONFIG,
        "\nscreening:\n",
        "\nscreening:\n  joint: true\n",
        JOINT,
    ),
    Row("`search`", CONFIG, "\nsearch:\n", "\nsearch:\n  cost_weight: 0.5\n", SEARCH),
    Row(
        "`search.cost`",
        CONFIG,
        "\nsearch:\n",
        "\nsearch:\n  cost: latency\n",
        {"measure_operations": 1, **SEARCH},
    ),
    Row(
        "`search.max_gmacs`",
        CONFIG,
        "\nsearch:\n",
        "\nsearch:\n  max_gmacs: 1.0\n",
        AFTER_SEARCH,
    ),
    Row(
        "`search.strategy`",
        CONFIG,
        "\nsearch:\n",
        "\nsearch:\n  strategy: evolution\n",
        {"train_one_shot": 1, "search_paths": 1, **AFTER_SEARCH},
    ),
    Row(
        "`training`",
        CONFIG,
        "\ntraining:\n",
        "\ntraining:\n  workers: 1\n",
        {"train_detector": 1, **AFTER_TRAINING},
    ),
    Row(
        "`evaluation`",
        CONFIG,
        "timed_images: 2",
        "timed_images: 3",
        {"evaluate": 4, "draw_report": 1},
    ),
    Row(
        "`teacher_pool`, the last phase",
        CONFIG,
        "least_depths: [1, 1, 1, 1], widths: [1.0, 1.25, 1.5], log_interval: 2",
        "least_depths: [1, 1, 1, 1], widths: [1.0, 1.25, 1.5], log_interval: 3",
        {"shrink_pool": 1, **CLIMB},
    ),
    Row(
        "`base_detector`",
        CONFIG,
        "\nbase_detector:\n",
        "\nbase_detector:\n  network: fpn_mobilenetv2\n",
        JOINT_DETNAS,
    ),
    Row(
        "`hill_climb.alpha`: the score of every candidate",
        CONFIG,
        "\nhill_climb:\n",
        "\nhill_climb:\n  alpha: 0.5\n",
        AFTER_CANDIDATES,
    ),
    Row(
        "`hill_climb.generations`: the search goes on from its list",
        CONFIG,
        "generations: 2\n",
        "generations: 3\n",
        {
            "propose": 1,
            "evaluate_candidate": 2,
            "rank": 1,
            "remove_weights": 1,
            **AFTER_STUDENT,
        },
    ),
    Row("`report`", CONFIG, "example_images: 2", "example_images: 3", {"draw_report": 1}),
    Row(
        "a comment, in any module",
        "pipeline/hit_detector/search.py",
        "class TrinitySearch",
        "# why\nclass TrinitySearch",
        {},
    ),
    Row(
        "a docstring, in any module",
        "pipeline/training/loop.py",
        '"""The one training loop:',
        '"""The one loop:',
        {},
    ),
    Row(
        "the search's code",
        "pipeline/hit_detector/search.py",
        'record["expected_gmacs"] = ',
        'record["gmacs"] = ',
        SEARCH,
    ),
    Row(
        "the screening's code",
        "pipeline/hit_detector/screening.py",
        'LIVING = "candidates"',
        'LIVING = "living"',
        SCREENING,
    ),
    Row(
        "the detectors' loss: what imports it, and what follows from that",
        "pipeline/detection/loss.py",
        "value.detach()",
        "value.clone()",
        together(SCREENING, BASE, POOL_AND_CLIMB),
    ),
    Row(
        "the distillation losses, which no stage of Hit-Detector imports",
        "pipeline/distillation/losses.py",
        "\ndef feature_loss(",
        "\nSCALE = 2\n\n\ndef feature_loss(",
        together(BASE, POOL_AND_CLIMB),
    ),
    Row(
        "COCO evaluation: of the detector, and while it trains",
        "pipeline/detection/evaluation.py",
        "images, len(dataset)",
        "len(dataset), images",
        together({"train_detector": 1}, AFTER_TRAINING, BASE, POOL_AND_CLIMB),
    ),
    Row(
        "a reader of the report: what draws with it",
        "pipeline/report/inputs.py",
        'record["iteration"], record[key]',
        'record["epoch"], record[key]',
        {"draw": 1, "draw_report": 1},
    ),
    Row(
        "the report's template",
        "pipeline/report/page.html.j2",
        "<!doctype html>",
        "<!doctype html>\n",
        {"draw_report": 1},
    ),
    Row(
        "how a drawing of Joint-DetNAS is made: joint_figure7 is part of the report",
        "pipeline/drawings/joint_detnas.py",
        "return Drawn(table, figure, {",
        "return Drawn(table, figure, {} and {",
        {"draw": 1, "draw_report": 1},
    ),
    Row(
        "the launcher, which decides no result",
        "pipeline/launch.py",
        "MARGIN_SECONDS = 180.0",
        "MARGIN_SECONDS = 240.0",
        {},
    ),
    Row(
        "the lock of a stage's folder",
        "pipeline/artifacts/lock.py",
        "BEAT_SECONDS = 5.0",
        "BEAT_SECONDS = 6.0",
        {},
    ),
    Row(
        "what the training loop logs",
        "pipeline/training/progress.py",
        "{value:.4g}",
        "{value:.5g}",
        {},
    ),
    Row(
        "the code of another program in the package",
        "pipeline/predict.py",
        "import argparse\n",
        "import argparse\nimport json\n",
        {},
    ),
)


def page_with_table(page: str) -> str:
    """The page with its table made anew."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    lines = ["| you change | in | runs again |", "|---|---|---|", *(row.line() for row in ROWS)]
    return f"{head}{BEGIN}" + "".join(f"{line}\n" for line in lines) + f"{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text()))
