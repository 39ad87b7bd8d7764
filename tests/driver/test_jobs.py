"""What is read off Snakemake's plan: stages, their order, which of them are made anew."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.artifacts.jobs import Job
from pipeline.driver.jobs import forget, in_order, stages, to_make_anew


class Files(list[str]):
    """As Snakemake's: a list, whose members have names."""

    def __init__(self, **named: str) -> None:
        super().__init__(named.values())
        self.__dict__ |= named

    def get(self, name: str) -> str | None:
        return self.__dict__.get(name)


def job(rule: str, *wildcards: str, **output: str) -> SimpleNamespace:
    return SimpleNamespace(
        rule=SimpleNamespace(name=rule),
        wildcards=wildcards,
        output=Files(**output),
        log=[f"results/r/logs/{rule}.log"],
    )


DATA = job("data", manifest="results/r/data/manifest.json")
SCREEN = job("screen", "hit", "neck", manifest="results/r/hit/neck/manifest.json")
DRAW = job("draw", manifest="results/r/draw/manifest.json")
TARGET = job("all")
TARGET.log = []


def test_stages_are_listed_by_level_and_name_without_targets() -> None:
    assert stages([TARGET, DATA]) == [DATA]
    assert in_order([[DATA], [SCREEN, DRAW], [TARGET]], Path("results/r")) == [
        Job("data", "logs/data.log", "data/manifest.json"),
        Job("draw", "logs/draw.log", "draw/manifest.json"),
        Job("screen_hit_neck", "logs/screen.log", "hit/neck/manifest.json"),
    ]


def test_made_anew_is_what_need_not_run_and_what_was_named() -> None:
    dag = SimpleNamespace(
        jobs=[DATA, SCREEN, DRAW, TARGET],
        needrun=lambda job: job is not DATA,
        forcerules=[SCREEN.rule],
    )
    assert to_make_anew(dag, []) == [DATA, SCREEN]
    assert to_make_anew(dag, ["results/r/draw/manifest.json"]) == [DATA, SCREEN, DRAW]


def test_second_names_of_what_was_published_and_logged_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("r/data/.kept/files/a", "r/logs/data.log", "r/logs/data.log.kept"):
        (tmp_path / "results" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / path).touch()
    (tmp_path / "results/r/logs/screen.log.kept").touch()
    forget(job for job in (TARGET, DATA))
    left = {path.name for path in (tmp_path / "results").rglob("*")}
    assert left == {"r", "data", "logs", "data.log", "screen.log.kept"}
