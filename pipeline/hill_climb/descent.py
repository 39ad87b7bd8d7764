"""The tree of descent of a search: who descends from whom, and what each change brought (section 4.3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import json_bytes, read_json
from pipeline.config.hill_climb import Scoring
from pipeline.errors import DetSearchError
from pipeline.hill_climb.records import Base, Evaluation, Name
from pipeline.hill_climb.scoring import scores_of
from pipeline.morphism.actions import KINDS

TEACHER = "mutate_teacher"
"""The change of a candidate whose teacher is mutated."""

CHANGES: tuple[str, ...] = (*KINDS, TEACHER)
"""What a candidate can change of its parent: an action on the student, or the teacher."""

PHASES = ("early", "middle", "late")
"""Thirds of a search."""

DESCENT = "descent.json"
"""The file of a whole search: its format, and the evaluations of all candidates."""


def change_of(evaluation: Evaluation) -> str:
    """What a candidate changed of its parent; one of `CHANGES`."""
    action = evaluation.proposal.action
    return action.kind if action else TEACHER


@dataclass(frozen=True)
class Gain:
    """What a candidate's change brought.

    Attributes:
        name: of the candidate.
        change: one of `CHANGES`.
        value: H of the candidate minus H of its parent; None for a child of the base where the base's
            H is not known.
    """

    name: Name
    change: str
    value: float | None


class Descent:
    """All evaluated candidates of a search.

    Args:
        evaluations: in any order.
        controls: of parents that were trained on without a change, under the name of a child, if any.

    Raises:
        DetSearchError: there are none, or a candidate descends from one that is not among them.
    """

    def __init__(
        self, evaluations: Iterable[Evaluation], controls: Iterable[Evaluation] = ()
    ) -> None:
        ordered = sorted(evaluations, key=lambda one: _order(one.proposal.name))
        self.evaluations = {one.proposal.name: one for one in ordered}
        self.controls = {
            (one.proposal.name.generation, one.proposal.parent): one
            for one in sorted(controls, key=lambda one: _order(one.proposal.name))
        }
        if not ordered:
            raise DetSearchError("the search has evaluated no candidate")
        for one in ordered:
            parent = one.proposal.parent
            if parent and parent not in self.evaluations:
                raise DetSearchError(
                    f"{one.proposal.name.folder} descends from {parent.folder}, which is not among "
                    f"the {len(ordered)} candidates of the search"
                )

    def content(self) -> bytes:
        """The content of `descent.json`."""
        evaluations, controls = (
            [one.model_dump(mode="json") for one in each.values()]
            for each in (self.evaluations, self.controls)
        )
        return json_bytes({"format": 1, "evaluations": evaluations, "controls": controls})

    @classmethod
    def load(cls, path: Path) -> Descent:
        """Read a `descent.json`.

        Raises:
            ArtifactError: the file is missing or not JSON, or its records are not evaluations.
        """
        content = read_json(path)
        try:
            records, controls = (
                TypeAdapter(list[Evaluation]).validate_python(content[name])
                for name in ("evaluations", "controls")
            )
        except (KeyError, TypeError, ValidationError) as error:
            raise ArtifactError(
                f"{path} does not hold the candidates of a search: {error}"
            ) from error
        return cls(records, controls)

    @property
    def generations(self) -> int:
        """Waves that were evaluated; what comes after convergence does not count."""
        return max(name.generation for name in self.evaluations) + 1

    @property
    def epochs(self) -> int:
        """Epochs that all candidates were trained together."""
        own = 0
        for one in self.evaluations.values():
            parent = one.proposal.parent
            own += one.epochs - (self.evaluations[parent].epochs if parent else 0)
        return own

    def wave(self, generation: int) -> list[Evaluation]:
        """The candidates of a generation, by their numbers."""
        return [one for name, one in self.evaluations.items() if name.generation == generation]

    def best_until(self, generation: int) -> Evaluation:
        """The highest H until the end of a generation; of equal ones the earliest candidate."""
        candidates = (
            one for name, one in self.evaluations.items() if name.generation <= generation
        )
        return max(candidates, key=lambda one: one.best.score)

    @property
    def best(self) -> Evaluation:
        """The student–teacher pair that the search has found."""
        return self.best_until(self.generations - 1)

    def line(self, evaluation: Evaluation) -> list[Evaluation]:
        """A candidate's ancestors from the child of the base on, and itself: each was trained once."""
        found = [evaluation]
        while parent := found[-1].proposal.parent:
            found.append(self.evaluations[parent])
        return found[::-1]

    def gains(self, base_score: float | None = None) -> list[Gain]:
        """What each candidate's change brought, in the order of the candidates.

        Args:
            base_score: H of the base: its AP at R_base, where the bracket of H is 1.
        """
        scores = {name: one.best.score for name, one in self.evaluations.items()}
        gains = []
        for name, one in self.evaluations.items():
            before = scores[one.proposal.parent] if one.proposal.parent else base_score
            value = None if before is None else scores[name] - before
            gains.append(Gain(name, change_of(one), value))
        return gains

    def gains_over_controls(self) -> list[Gain]:
        """What each candidate's change brought beyond the epochs: H against that of its control."""
        gains = []
        for name, one in self.evaluations.items():
            control = self.controls.get((name.generation, one.proposal.parent))
            value = None if control is None else one.best.score - control.best.score
            gains.append(Gain(name, change_of(one), value))
        return gains

    def phase(self, generation: int) -> str:
        """The third of the search in which a generation lies."""
        return PHASES[generation * len(PHASES) // self.generations]


def total_gain(gains: Sequence[Gain]) -> dict[str, float]:
    """By change, the sum of what it brought where it brought something (Figure 6, top)."""
    return {
        change: sum(max(gain.value or 0.0, 0.0) for gain in gains if gain.change == change)
        for change in CHANGES
    }


def beneficial_share(descent: Descent, gains: Sequence[Gain]) -> dict[str, dict[str, float]]:
    """By phase, the share that each change has in the candidates that gained (Figure 6, bottom).

    A phase in which no candidate gained has shares of zero.
    """
    shares: dict[str, dict[str, float]] = {}
    for phase in PHASES:
        gained = [
            gain.change
            for gain in gains
            if (gain.value or 0.0) > 0 and descent.phase(gain.name.generation) == phase
        ]
        total = max(len(gained), 1)
        shares[phase] = {change: gained.count(change) / total for change in CHANGES}
    return shares


def _order(name: Name) -> tuple[int, int]:
    return name.generation, name.candidate


def base_score(
    metrics: Sequence[Mapping[str, Any]], resolution: tuple[int, int], settings: Scoring
) -> float:
    """H of the base, the highest over the resolutions at which it was validated.

    It was not trained for the candidates' epochs: what these alone bring is part of its children's gains.

    Args:
        metrics: as `StudentTraining.metrics` holds them.
        resolution: R_base.
        settings: α, β and the target.
    """
    # C over C_base is 1
    scores = scores_of(metrics, 1, Base(cost=1, resolution=resolution), settings)
    return max(score.score for score in scores)
