"""The candidates of a generation: lines 5 to 13 of Algorithm 1 (Joint-DetNAS)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.config.hill_climb import Proposing, Variant
from pipeline.hill_climb.records import Evaluation, Name, Proposal, Ranking
from pipeline.morphism.actions import KINDS, Kind, draw_action
from pipeline.morphism.errors import ActionError
from pipeline.search_space.architecture import Architecture
from pipeline.teacher_pool.space import DEPTHS, WIDTHS, Subnet, SubnetSpace
from pipeline.training.seeding import derive_seed

PRUNING: tuple[Kind, ...] = ("prune_layer", "prune_channels")
"""What shrinks a student."""

_MUTABLE = (*DEPTHS, *WIDTHS)
_ITSELF = Variant()


def candidate_seed(seed: int, name: Name) -> int:
    """The seed of all that is drawn for a candidate, whenever and wherever its job runs."""
    return derive_seed(seed, "hill_climb", name.generation, name.candidate)


def propose(
    generation: int,
    ranking: Ranking,
    base: Architecture,
    space: SubnetSpace,
    settings: Proposing,
    seed: int,
    variant: Variant = _ITSELF,
) -> tuple[Proposal, ...]:
    """The candidates of a generation; none once the search has converged.

    Each depends on (seed, generation, its number) and the ranking alone. Parents come from the top-k
    list, all equally likely; where it is empty, the parent is the base with the largest teacher.

    Args:
        generation: counted from 0.
        ranking: after the generation before.
        base: architecture of the base detector.
        space: teachers.
        settings: section `hill_climb`.
        seed: of the run.
        variant: of a search that the hill climbing is compared with.

    Raises:
        ActionError: a student cannot be pruned further in a generation that only prunes, or it cannot
            evolve and the teacher has no alternative.
    """
    if ranking.converged:
        return ()
    return tuple(
        _proposal(
            Name(generation=generation, candidate=number),
            _parents(ranking, variant),
            base,
            space,
            settings,
            seed,
            variant,
        )
        for number in range(settings.candidates)
    )


def _parents(ranking: Ranking, variant: Variant) -> Sequence[Evaluation]:
    if variant.ranked or not ranking.top:
        return ranking.top
    latest = max(one.proposal.name.generation for one in ranking.top)
    wave = (one for one in ranking.top if one.proposal.name.generation == latest)
    return sorted(wave, key=lambda one: one.proposal.name.candidate)


def _proposal(
    name: Name,
    parents: Sequence[Evaluation],
    base: Architecture,
    space: SubnetSpace,
    settings: Proposing,
    seed: int,
    variant: Variant,
) -> Proposal:
    generator = np.random.default_rng(candidate_seed(seed, name))
    parent, architecture, teacher = None, base, space.largest
    if parents:
        chosen = parents[int(generator.integers(len(parents)))]
        parent, architecture = chosen.proposal.name, chosen.architecture
        teacher = chosen.proposal.teacher
    pruning = name.generation < settings.pruning_generations
    if pruning or not _can_mutate(space) or generator.random() < settings.evolve_student:
        try:
            action = draw_action(
                architecture, generator, settings.percentages, PRUNING if pruning else KINDS
            )
        except ActionError as error:
            raise ActionError(f"{name.folder}: {error}") from None
        return Proposal(name=name, parent=parent, evolves="student", action=action, teacher=teacher)
    return Proposal(
        name=name,
        parent=parent,
        evolves="teacher",
        action=None,
        teacher=_evolved(space, teacher, generator, variant),
    )


def _evolved(
    space: SubnetSpace, teacher: Subnet, generator: np.random.Generator, variant: Variant
) -> Subnet:
    match variant.teachers:
        case "mutate":
            return space.mutate(teacher, generator, knobs=_MUTABLE)
        case "draw":
            drawn = space.sample(generator).knobs
            return Subnet.of({**teacher.knobs, **{name: drawn[name] for name in _MUTABLE}})
        case "keep":
            return teacher


def _can_mutate(space: SubnetSpace) -> bool:
    return any(len(space.choices[knob]) > 1 for knob in _MUTABLE)
