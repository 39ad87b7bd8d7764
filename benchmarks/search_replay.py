"""How far a hill climbing can move, by replaying its proposals without training anything.

    PYTHONPATH=. .venv/bin/python -W ignore -m benchmarks.search_replay results/<run> [--configfile FILE …]

The trained base of a run says which channels a pruning takes. Candidates are proposed and ranked by the
search's own code, for several seeds of the run. What is not trained is assumed: a child's AP is its
parent's plus a gain for its epochs that shrinks with every generation, minus a loss for the share of MACs
that it sheds, plus the noise of a validation. The same is replayed without a ranking (`joint_unranked`) and
at random (`joint_random`): what the best H would have over those.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.artifacts.weights import WEIGHTS, load_weights
from pipeline.config.files import load_config_files
from pipeline.config.hill_climb import UNRANKED, Variant
from pipeline.config.root import Config
from pipeline.detection.complexity import detector_complexity
from pipeline.hill_climb.candidate import inherit
from pipeline.hill_climb.descent import TEACHER, change_of
from pipeline.hill_climb.proposals import propose
from pipeline.hill_climb.ranking import rank
from pipeline.hill_climb.records import Base, Evaluation, Name, Ranking
from pipeline.hill_climb.scoring import scores_of
from pipeline.search_space.architecture import ARCHITECTURE, Architecture
from pipeline.search_space.slicing import Weights
from pipeline.teacher_pool.space import SubnetSpace

SEARCH = Variant()


@dataclass(frozen=True)
class Assumed:
    """What a training is assumed to bring: AP of the base, and changes of it.

    Attributes:
        base: AP of the base detector.
        gain: of the first generation's epochs; the g-th one's is divided by g.
        loss: for a tenth of the parent's MACs that a child sheds.
        noise: standard deviation of a validation.
    """

    base: float = 0.38
    gain: float = 0.04
    loss: float = 0.006
    noise: float = 0.012


@dataclass(frozen=True)
class Outcome:
    """What one replay ended with.

    Attributes:
        score: the best H.
        macs: of the student, as a share of the base's.
        line: the changes from the base to the student.
        changes: all that occurred in the search.
        converged: whether it ended before its budget.
    """

    score: float
    macs: float
    line: tuple[str, ...]
    changes: frozenset[str]
    converged: bool


def replay(
    config: Config, detector: Path, seed: int, assumed: Assumed, variant: Variant = SEARCH
) -> Outcome:
    """Propose and rank every generation of a search."""
    climb = config.hill_climb
    base, trained = Architecture.load(detector / ARCHITECTURE), load_weights(detector / WEIGHTS)[0]
    proposals = config.supernet.proposals
    cost = detector_complexity(base, proposals).total.macs
    measure = Base(cost=cost, resolution=config.detector.image_scale)
    space = SubnetSpace.whole(config.teacher_pool.space, base.classes)
    rng = np.random.default_rng(seed)
    found: dict[Name, Evaluation] = {}
    # without the noise of the validation that ranks them, and the weights that children inherit
    kept: dict[Name, tuple[float, Weights]] = {}
    ranking = Ranking()
    for generation in range(climb.generations):
        wave = []
        for one in propose(generation, ranking, base, space, climb, seed, variant):
            parent = found.get(one.parent) if one.parent else None
            true, weights = kept[one.parent] if one.parent else (assumed.base, trained)
            before = parent.macs if parent else cost
            student, inherited = inherit(one, parent.architecture if parent else base, weights)
            macs = detector_complexity(student, proposals).total.macs
            true += assumed.gain / (generation + 1) - assumed.loss * 10 * (1 - macs / before)
            seen = float(np.clip(true + assumed.noise * rng.normal(), 0, 1))
            metrics = [{"resolution": list(config.detector.image_scale), "AP": seen}]
            found[one.name] = Evaluation(
                proposal=one,
                architecture=student,
                macs=macs,
                scores=scores_of(metrics, macs, measure, climb),
                epochs=(parent.epochs if parent else 0) + climb.training.epochs,
            )
            kept[one.name] = true, inherited
            wave.append(found[one.name])
        ranking = rank(ranking, wave, climb, ranked=variant.ranked)
    line, name = [], ranking.top[0].proposal.name
    while name is not None:
        line.append(change_of(found[name]))
        name = found[name].proposal.parent
    changes = frozenset(change_of(each) for each in found.values())
    best = ranking.top[0]
    return Outcome(best.best.score, best.macs / cost, tuple(line[::-1]), changes, ranking.converged)


def controls(config: Config) -> dict[str, tuple[Config, Variant]]:
    """The searches without a ranking: what they change of the config, as their rules do."""
    climb = config.hill_climb.model_copy(update={"pruning_generations": 0})
    return {
        "unranked": (config, UNRANKED),
        "random": (config.model_copy(update={"hill_climb": climb}), UNRANKED),
    }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run whose base is trained")
    parser.add_argument("--configfile", type=Path, nargs="*", default=[])
    parser.add_argument("--replays", type=int, default=30)
    arguments = parser.parse_args()
    config = load_config_files(arguments.configfile)
    detector = arguments.run / "joint_detnas/base/detector"
    seeds = range(arguments.replays)
    outcomes = [replay(config, detector, seed, Assumed()) for seed in seeds]
    macs = np.array([one.macs for one in outcomes])

    def share(wanted: list[bool]) -> str:
        return f"{100 * np.mean(wanted):.0f} %"

    kinds = sorted(set().union(*(one.changes for one in outcomes)))
    print(f"{len(outcomes)} replays, {len(kinds)} kinds of change: {', '.join(kinds)}")
    print(f"MACs of the student: {macs.mean():.2f} ± {macs.std():.2f} of the base's")
    print(f"a quarter less or more: {share([one.macs <= 0.75 for one in outcomes])}")
    print(f"length of its line: {np.mean([len(one.line) for one in outcomes]):.1f}")
    print(f"a teacher evolves: {share([TEACHER in one.changes for one in outcomes])}")
    print(f"… in its line: {share([TEACHER in one.line for one in outcomes])}")
    print(f"all kinds occur: {share([len(one.changes) == len(kinds) for one in outcomes])}")
    print(f"converges: {share([one.converged for one in outcomes])}")
    score = np.array([one.score for one in outcomes])
    print(f"best H: {score.mean():.3f} ± {score.std():.3f}")
    for name, (changed, variant) in controls(config).items():
        others = [replay(changed, detector, seed, Assumed(), variant) for seed in seeds]
        gain = score - np.array([one.score for one in others])
        print(
            f"… above {name}: {gain.mean():+.3f} ± {gain.std():.3f}, in {share([*(gain > 0)])} of replays, "
            f"whose MACs are {np.mean([one.macs for one in others]):.2f} of the base's"
        )


if __name__ == "__main__":
    main()
