"""A small search with numbers that can be followed by hand."""

from collections.abc import Callable
from typing import Any

from pipeline.config.teacher_pool import PoolSpace
from pipeline.hill_climb.records import Evaluation, Name, Proposal, Score
from pipeline.morphism.actions import Action
from pipeline.search_space.architecture import Architecture
from pipeline.teacher_pool.space import SubnetSpace
from pipeline.zoo.architectures import zoo_architecture

SPACE = SubnetSpace.whole(PoolSpace(), classes=80)

PRUNE = Action(kind="prune_channels", percentage=10.0)
ADD = Action(kind="add_layer", stage=2, position=1)
MOVE = Action(kind="rearrange_layer", stage=3, to_stage=2)
CUT = Action(kind="prune_layer", stage=3)

# (generation, candidate): parent, action (None: the teacher), H; AP is half of it
TREE: dict[tuple[int, int], tuple[tuple[int, int] | None, Action | None, float]] = {
    (0, 0): (None, PRUNE, 0.50),
    (0, 1): (None, CUT, 0.30),
    (1, 0): ((0, 0), None, 0.55),
    (1, 1): ((0, 1), MOVE, 0.25),
    (2, 0): ((1, 0), ADD, 0.54),
    (2, 1): ((0, 0), PRUNE, 0.60),
}
"""The student is 2.1, by way of 0.0; the pair of generation 1 is not in its line."""


def name(place: tuple[int, int] | None) -> Name | None:
    return place and Name(generation=place[0], candidate=place[1])


def ancestors(place: tuple[int, int]) -> int:
    parent = TREE[place][0]
    return 1 + ancestors(parent) if parent else 0


def candidate(place: tuple[int, int], network: Architecture, **changed: Any) -> Evaluation:
    parent, action, score = TREE[place]
    proposal = Proposal(
        name=Name(generation=place[0], candidate=place[1]),
        parent=name(parent),
        evolves="student" if action else "teacher",
        action=action,
        teacher=SPACE.largest if action else SPACE.smallest,
    )
    values = {
        "proposal": proposal,
        "architecture": network,
        "macs": 900,
        "epochs": 3 * (1 + ancestors(place)),
        "scores": (
            Score(resolution=(50, 30), ap=0.1, score=0.2),
            Score(resolution=(100, 60), ap=score / 2, score=score),
        ),
    }
    return Evaluation.model_validate(values | changed)


def made_up_search(choose: Callable[[tuple[int, int]], bool] = lambda _: True) -> list[Evaluation]:
    """The candidates that are chosen, the last first."""
    network = zoo_architecture("fpn_r18")
    return [candidate(place, network) for place in reversed(TREE) if choose(place)]
