"""Searches over paths, on scores that are known: what they find, that they repeat, that they go on."""

from pathlib import Path as File
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.config.hit_detector import PathSearchConfig
from pipeline.config.supernet import SupernetConfig
from pipeline.hit_detector.path_search import PathSearch, path_scores, paths_record
from pipeline.hit_detector.paths import Path, PathSpace
from pipeline.hit_detector.search import derive
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import COMPONENTS, Architecture
from pipeline.training.loop import run_loop

OPERATIONS = ("conv_k3_d1", "sep_k3_d1", "ir_k3_d1_e1", "ir_k3_d1_e6")
SUPERNET = supernet_architecture(
    SupernetConfig(head_blocks=2), 3, (1, 1, 2, 1), dict.fromkeys(COMPONENTS, OPERATIONS)
)
LAYERS = tuple((name, block) for name in COMPONENTS for block in SUPERNET.blocks(name))
RNG = np.random.default_rng(0)
WORTH = {layer: RNG.normal(size=4) for layer in LAYERS}
MACS = tuple(1e6 * RNG.integers(1, 30, 4).astype(float) for _ in LAYERS)


def _space(budget: float | None = None) -> PathSpace:
    return PathSpace(SUPERNET, LAYERS, MACS, 5_000_000, budget)


def _score(network: Architecture) -> float:
    """The sum of what the operations are worth where they stand."""
    return sum(
        float(WORTH[component, name][OPERATIONS.index(str(block.operation))])
        for component in COMPONENTS
        for name, block in network.blocks(component).items()
    )


def _settings(strategy: str, **changed: Any) -> PathSearchConfig:
    evolution = {"population": 30, "tournament": 6}
    chosen = {"strategy": strategy, "scored_paths": 300, "evolution": evolution} | changed
    return PathSearchConfig.model_validate(chosen)


def _searched(strategy: str, budget: float | None = None, seed: int = 0, **more: Any) -> PathSearch:
    search = PathSearch(_space(budget), _score, _settings(strategy, **more), seed)
    for number in range(search.iterations):
        search.step(number, None)
    return search


def test_evolution_beats_random_paths_and_both_keep_the_budget() -> None:
    rng = np.random.default_rng(1)
    budget = float(np.median([_space().cost(_space().random(rng)) for _ in range(200)]))
    for seed in range(3):
        found = {name: _searched(name, budget, seed) for name in ("evolution", "random")}
        for search in found.values():
            paths = [each.path for each in search.scored]
            assert len(set(paths)) == 300
            assert all(_space().cost(path) <= budget for path in paths)
            assert search.best.score == max(_score(search.space.network(path)) for path in paths)
        # a random path has a standard deviation of about 4
        assert found["evolution"].best.score > found["random"].best.score + 3


def test_parents_are_of_the_last_paths_and_children_are_like_them() -> None:
    search = _searched("evolution", evolution={"population": 30, "tournament": 6, "mutation": 0.05})
    for number, each in enumerate(search.scored):
        if number < 30:
            assert each.parents == ()
            continue
        assert 1 <= len(each.parents) <= 2
        assert all(number - 30 <= parent < number for parent in each.parents)
        family = [search.scored[parent].path for parent in each.parents]
        inherited = [gene in genes for gene, *genes in zip(each.path, *family, strict=True)]
        assert sum(inherited) >= len(LAYERS) - 5
    assert {len(each.parents) for each in search.scored[30:]} == {1, 2}


def _work(folder: File) -> WorkFolder:
    return WorkFolder(folder, "sha256:" + "0" * 64)


class _Stopped(Exception):
    pass


@pytest.mark.parametrize("strategy", ["evolution", "random"])
def test_a_search_that_goes_on_finds_what_it_would_have_found(
    strategy: str, tmp_path: File
) -> None:
    run = {"seed": 0, "title": strategy, "log_interval": 10, "checkpoint_seconds": 0}
    whole = PathSearch(_space(), _score, _settings(strategy), 0)
    undisturbed = run_loop(whole, _work(tmp_path / "undisturbed"), **run)
    calls: list[Architecture] = []

    def failing(network: Architecture) -> float:
        calls.append(network)
        if len(calls) == 100:
            raise _Stopped
        return _score(network)

    work = _work(tmp_path / "stopped")
    with pytest.raises(_Stopped):
        run_loop(PathSearch(_space(), failing, _settings(strategy), 0), work, **run)
    search = PathSearch(_space(), failing, _settings(strategy), 0)
    history = run_loop(search, work, **run)
    # the one that was interrupted is scored again, no other
    assert len(calls) == 301
    assert search.scored == whole.scored
    assert history == undisturbed


def test_a_space_that_is_used_up_ends_the_search() -> None:
    one = tuple(np.array([1e6]) for _ in LAYERS[1:])
    space = PathSpace(SUPERNET, LAYERS, (np.array([1e6, 2e6, 3e6]), *one), 0, 14.5e6 + 2e6)
    search = PathSearch(space, _score, _settings("random", scored_paths=20), 0)
    for number in range(20):
        search.step(number, None)
    # the third is over the budget
    assert sorted(each.path[0] for each in search.scored) == [0, 1]


@pytest.mark.parametrize("strategy", ["evolution", "random"])
def test_what_is_published_derives_the_best_path(strategy: str) -> None:
    budget = 16e6 * len(LAYERS)
    search = _searched(strategy, budget)
    scores = path_scores(search)
    network = derive(SUPERNET, scores, _space(budget))
    assert network.blocks("neck") == search.space.network(search.best.path).blocks("neck")
    assert _score(network) == search.best.score
    ranked = sorted(search.scored, key=lambda each: -each.score)[:30]
    layer = scores["components"]["backbone"]["layers"][0]
    assert layer["probabilities"][2] == pytest.approx(
        sum(each.path[0] == 2 for each in ranked) / 30
    )
    assert sum(layer["probabilities"]) == pytest.approx(1)
    record = paths_record(search)
    assert len(record["paths"]) == 300 and record["layers"][0] == "backbone.stage1.block1"
    for each, scored in zip(record["paths"], search.scored, strict=True):
        assert each["operations"] == [OPERATIONS[choice] for choice in scored.path]
        assert each["macs"] == _space().cost(scored.path) and each["score"] == scored.score


def _path(network: Architecture) -> Path:
    return tuple(
        OPERATIONS.index(str(block.operation))
        for component in COMPONENTS
        for block in network.blocks(component).values()
    )


def test_probabilities_derive_the_likeliest_network_that_keeps_the_budget() -> None:
    """Of a differentiable search: without need the argmax, else the best sum of logarithms."""
    rng = np.random.default_rng(3)
    probabilities = [rng.dirichlet(np.ones(4)) for _ in LAYERS]
    components: dict[str, Any] = {}
    for layer, values in zip(LAYERS, probabilities, strict=True):
        part = components.setdefault(layer[0], {"operations": list(OPERATIONS), "layers": []})
        part["layers"].append({"name": layer[1], "probabilities": values.tolist()})
    scores = {"format": 1, "components": components}
    free = _path(derive(SUPERNET, scores))
    assert free == tuple(int(values.argmax()) for values in probabilities)
    cost = _space().cost(free)
    assert _path(derive(SUPERNET, scores, _space(cost))) == free
    tight = derive(SUPERNET, scores, _space(0.8 * cost))
    found = _path(tight)
    assert _space().cost(found) <= 0.8 * cost

    def likelihood(path: Path) -> float:
        return sum(np.log(values[k]) for values, k in zip(probabilities, path, strict=True))

    for place, choice in ((place, k) for place in range(len(LAYERS)) for k in range(4)):
        other = (*found[:place], choice, *found[place + 1 :])
        assert not _space(0.8 * cost).keeps_budget(other) or likelihood(other) <= likelihood(found)
    margins = tight.provenance["margins"]
    for (component, name), values, k in zip(LAYERS, probabilities, found, strict=True):
        margin = values[k] - max(value for j, value in enumerate(values) if j != k)
        assert margins[component][name] == pytest.approx(margin)
    assert min(min(each.values()) for each in margins.values()) < 0
