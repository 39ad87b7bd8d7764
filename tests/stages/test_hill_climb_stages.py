"""Ranking and removing as stages, and what they do once the search has converged: next to nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from made_up_search import candidate
from safetensors.torch import load_file

from pipeline.artifacts.check import check_run
from pipeline.artifacts.kept import KEPT
from pipeline.artifacts.manifest import MANIFEST, Manifest, Origin
from pipeline.artifacts.publish import Content, publish
from pipeline.artifacts.weights import WEIGHTS, save_weights
from pipeline.config.base import NoSettings
from pipeline.config.hill_climb import Listing, Scoring
from pipeline.config.root import load_config
from pipeline.config.sections import sections
from pipeline.hill_climb.parents import PARENTS, TEACHER
from pipeline.hill_climb.records import (
    EVALUATION,
    PROPOSALS,
    Ranking,
    load_ranking,
    proposals_bytes,
    record_bytes,
)
from pipeline.runner.stage import stage_main
from pipeline.stages import evaluate_candidate, rank, remove_weights
from pipeline.zoo.architectures import zoo_architecture

WAVES = (((0, 0), (0, 1)), ((1, 0), (1, 1)))
"""By H: 1.0 (0.55), 0.0 (0.50), 0.1 (0.30), 1.1 (0.25)."""


def _published(folder: Path, files: Mapping[str, Content]) -> str:
    origin = Origin(stage=folder.name, config={"folder": str(folder)}, code=None, inputs={}, seed=0)
    publish(folder, files, origin)
    return str(folder / MANIFEST)


def _candidate(climb: Path, place: tuple[int, int]) -> str:
    evaluated = candidate(place, zoo_architecture("fpn_r18"))
    weights = {"x": torch.tensor([float(place[0]), float(place[1])])}
    return _published(
        climb / evaluated.proposal.name.folder,
        {
            EVALUATION: record_bytes(evaluated),
            WEIGHTS: lambda path: save_weights(path, weights),
            TEACHER: lambda path: save_weights(path, {"norm": weights["x"] + 10}),
        },
    )


def _run(stage: Any, folder: Path, values: object, *line: str, **kinds: Any) -> None:
    argv = ["--settings", values if isinstance(values, str) else json.dumps(values), *line]
    argv += ["--manifest", str(folder / MANIFEST), "--run-folder", str(folder.parents[1])]
    settings = getattr(stage, "Settings", NoSettings)
    stage_main(stage.run, settings, argv=argv, **kinds)


def _rank(folder: Path, candidates: list[str], *former: str, patience: int = 1) -> Ranking:
    line = ["--candidates", *(f"c{k}={path}" for k, path in enumerate(candidates)), *former]
    settings = {"listing": Listing(top_k=2, patience=patience).model_dump()}
    kinds = {"optional_inputs": ("former",), "several_inputs": ("candidates",)}
    _run(rank, folder, settings, *line, **kinds)
    return load_ranking(folder)


def _names(ranking: Ranking) -> list[str]:
    return [one.proposal.name.folder for one in ranking.top]


@pytest.fixture
def climb(tmp_path: Path) -> Path:
    return tmp_path / "hill_climb"


def test_a_list_keeps_its_weights_over_generations_and_the_others_are_removed(climb: Path) -> None:
    waves = [[_candidate(climb, place) for place in wave] for wave in WAVES]
    first, second = climb / "generation_0/ranking", climb / "generation_1/ranking"
    assert _names(_rank(first, waves[0])) == [
        "generation_0/candidate_0",
        "generation_0/candidate_1",
    ]
    former = ("--former", str(first / MANIFEST))
    # the order in which they are named does not matter
    assert _names(_rank(second, waves[1][::-1], *former)) == [
        "generation_1/candidate_0",
        "generation_0/candidate_0",
    ]
    kept = {name: value.tolist() for name, value in load_file(second / PARENTS).items()}
    assert kept == {
        "generation_0/candidate_0/x": [0.0, 0.0],
        "generation_1/candidate_0/x": [1.0, 0.0],
        "teachers/generation_0/candidate_0/norm": [10.0, 10.0],
        "teachers/generation_1/candidate_0/norm": [11.0, 10.0],
    }

    line = ["--ranking", str(second / MANIFEST), *former, "--candidates"]
    line += [f"c{k}={path}" for k, path in enumerate([*waves[0], *waves[1]])]
    kinds: dict[str, tuple[str, ...]] = {
        "inputs": ("ranking",),
        "optional_inputs": ("former",),
        "several_inputs": ("candidates",),
    }
    removed = climb / "generation_1/removed"
    for _ in range(2):
        _run(remove_weights, removed, {}, *line, **kinds)
        found = (path.parent.relative_to(climb) for path in climb.rglob(WEIGHTS))
        # second names of what was published lie in `.kept/` until Snakemake has seen the stage end
        left = {folder.as_posix() for folder in found if KEPT not in folder.parts}
        assert left == {"generation_0/candidate_0", "generation_1/candidate_0"}
        assert (second / PARENTS).exists() and not (first / PARENTS).exists()
        assert check_run(climb).problems == []


def test_after_convergence_a_candidate_is_empty_and_the_list_is_handed_on(
    climb: Path, tmp_path: Path
) -> None:
    first = climb / "generation_0/ranking"
    before = _rank(first, [_candidate(climb, place) for place in WAVES[0]])
    names = ("data", "base", "pool")
    line = [word for name in names for word in (f"--{name}", _published(tmp_path / name, {}))]
    proposed = {PROPOSALS: proposals_bytes(())}
    line += ["--proposed", _published(climb / "generation_1/proposals", proposed)]
    settings = sections(
        load_config({"data": {}}),
        "normalization",
        "detector",
        "testing",
        training="hill_climb.training",
        recalibration="teacher_pool.recalibration",
        proposals="supernet.proposals",
        constants={"scoring": Scoring().model_dump(), "generation": 1, "candidate": 0},
    )
    folder = climb / "generation_1/candidate_0"
    _run(evaluate_candidate, folder, settings, *line, inputs=(*names, "proposed"))
    assert list(Manifest.load(folder / MANIFEST).files) == [WEIGHTS]

    second = climb / "generation_1/ranking"
    after = _rank(second, [str(folder / MANIFEST)], "--former", str(first / MANIFEST))
    assert after == before
    assert (second / PARENTS).read_bytes() == (first / PARENTS).read_bytes()
