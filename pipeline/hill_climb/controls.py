"""What a candidate is compared with besides its parent: the parent, trained as long without any change.

A child has trained longer than its parent, so H against the parent holds what the epochs alone bring.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.hill_climb.records import Name, Proposal, Ranking
from pipeline.teacher_pool.space import Subnet


def control_of(proposal: Proposal, ranking: Ranking | None, largest: Subnet) -> Proposal:
    """The parent of a candidate with its own teacher, under the name of the candidate.

    Args:
        proposal: of the candidate.
        ranking: after the generation before; not needed where the parent is the base.
        largest: teacher of the base.

    Raises:
        DetSearchError: the parent is not in the list of the ranking.
    """
    teacher = largest
    if proposal.parent:
        teacher = (ranking or Ranking()).find(proposal.parent).proposal.teacher
    return proposal.model_copy(update={"evolves": "teacher", "action": None, "teacher": teacher})


def is_first_child(name: Name, wave: Iterable[Proposal]) -> bool:
    """Whether no earlier candidate of the generation has the same parent: one control serves all."""
    parents = {one.name.candidate: one.parent for one in wave}
    parent = parents[name.candidate]
    return name.candidate == min(number for number, one in parents.items() if one == parent)
