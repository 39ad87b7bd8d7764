"""Cut further splits from one: by image, with a like share of every class in each, whatever the order.

Iterative stratification for images of several classes (Sechidis, Tsoumakas and Vlahavas, 2011): the class
with the fewest images left is dealt out first, each image to the split that lacks most of the class. Before
that, every class gets an image of each split as far as it has enough, train first.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pipeline.config.own_detection import SplitName
from pipeline.errors import DetSearchError

TRAIN: SplitName = "train"


class DivisionError(DetSearchError):
    """Images cannot be divided as asked; the message says why, without the file's name."""


def divide(
    labels: Mapping[str, frozenset[int]], shares: Mapping[SplitName, float], seed: int
) -> dict[str, SplitName]:
    """Which split every image belongs to.

    Args:
        labels: The classes of the objects in each image, by its name.
        shares: Share of the images that each split gets, in the order of their precedence; train, which
            is not among them, keeps the rest.
        seed: Seed of the division.

    Returns:
        The split of every image: the same for the same images, in whatever order they are given. A split
        has the stated share of the images, rounded; more only where a class with two images would
        otherwise not be in the first split.

    Raises:
        DivisionError: There are too few images with objects for so many splits.
    """
    parts: list[SplitName] = [TRAIN, *shares]
    with_objects = sum(map(bool, labels.values()))
    if with_objects < len(parts):
        raise DivisionError(
            f"{with_objects} of the {len(labels)} images have objects, too few to divide into "
            f"{', '.join(parts)}: each needs one"
        )
    deal = _Deal(labels, shares, seed)
    if deal.quotas[TRAIN] < 1:
        raise DivisionError(
            f"of {len(labels)} images, {', '.join(f'{deal.quotas[part]} for {part}' for part in shares)} "
            "leave none for train: lower the shares, or add images"
        )
    deal.guarantee()
    deal.stratify()
    empty = [part for part in parts if not any(labels[unit] for unit in deal.units_of(part))]
    if empty:
        raise DivisionError(
            f"no image with an object is left for {' and '.join(empty)}: a class must occur in train, and "
            "too few classes have another image"
        )
    return deal.places


class _Deal:
    """A division that is being made.

    Attributes:
        places: Image to its split, of the images that are dealt out.
        quotas: How many images each split is to have.
    """

    def __init__(
        self, labels: Mapping[str, frozenset[int]], shares: Mapping[SplitName, float], seed: int
    ) -> None:
        self.labels = labels
        self.places: dict[str, SplitName] = {}
        self.order = sorted(labels, key=lambda unit: _rank(unit, seed))
        self.members: dict[int, list[str]] = {}
        for unit in self.order:
            for label in labels[unit]:
                self.members.setdefault(label, []).append(unit)
        self.quotas: dict[SplitName, int] = {
            part: max(1, round(share * len(labels))) for part, share in shares.items()
        }
        self.quotas = {TRAIN: len(labels) - sum(self.quotas.values()), **self.quotas}
        self.shares: dict[SplitName, float] = {TRAIN: 1 - sum(shares.values()), **shares}
        self.sizes: Counter[SplitName] = Counter()
        self.held: Counter[tuple[SplitName, int]] = Counter()
        """Images of a class in a split."""
        self.left = Counter({label: len(units) for label, units in self.members.items()})

    def units_of(self, part: SplitName) -> list[str]:
        return [unit for unit, place in self.places.items() if place == part]

    def put(self, unit: str, part: SplitName) -> None:
        former = self.places.get(unit)
        if former is not None:
            self.sizes[former] -= 1
        self.places[unit] = part
        self.sizes[part] += 1
        for label in self.labels[unit]:
            self.held[part, label] += 1
            if former is None:
                self.left[label] -= 1
            else:
                self.held[former, label] -= 1

    def guarantee(self) -> None:
        """Give every class an image in each split, rare classes first, as far as it has enough."""
        rare_first = sorted(self.members, key=lambda label: (len(self.members[label]), label))
        for number, part in enumerate(self.quotas):
            for label in rare_first:
                enough = len(self.members[label]) > number
                # beyond train and the first split the share goes before
                full = number > 1 and self.sizes[part] >= self.quotas[part]
                if not enough or full or self.held[part, label]:
                    continue
                unit = self._giver(label, part)
                if unit is not None:
                    self.put(unit, part)

    def _giver(self, label: int, part: SplitName) -> str | None:
        """The image with the class that serves the split best; None where none is free."""
        free = [unit for unit in self.members[label] if unit not in self.places]
        if not free and part != TRAIN:
            free = [unit for unit in self.members[label] if self._spared(unit)]
        return max(free, key=lambda unit: self._served(unit, part), default=None)

    def _served(self, unit: str, part: SplitName) -> tuple[int, int]:
        """How many classes the split lacks that the image has; and, the fewer the better, all it has."""
        served = sum(not self.held[part, label] for label in self.labels[unit])
        return served, -len(self.labels[unit])

    def _spared(self, unit: str) -> bool:
        """Whether train has another image of each of its classes."""
        return self.places[unit] == TRAIN and all(
            self.held[TRAIN, label] > 1 for label in self.labels[unit]
        )

    def stratify(self) -> None:
        """Deal out the rest: images of the class of which the fewest are left, then those without one."""
        while label := self._rarest():
            for unit in self.members[label[0]]:
                if unit not in self.places:
                    self.put(unit, self._neediest(label))
        for unit in self.order:
            if unit not in self.places:
                self.put(unit, self._neediest(()))

    def _rarest(self) -> Sequence[int]:
        waiting = [(count, label) for label, count in self.left.items() if count]
        return [min(waiting)[1]] if waiting else []

    def _neediest(self, label: Iterable[int]) -> SplitName:
        """The split that lacks most images of the class, then of all, among those that are not full."""

        def lack(part: SplitName) -> tuple[float, float]:
            of_class = sum(
                self.shares[part] * len(self.members[each]) - self.held[part, each]
                for each in label
            )
            return of_class, self.quotas[part] - self.sizes[part]

        return max((part for part in self.quotas if self.sizes[part] < self.quotas[part]), key=lack)


def _rank(unit: str, seed: int) -> tuple[bytes, str]:
    """The place of an image in a random order that hangs on nothing but its name."""
    text = f"{seed}\0{unit}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).digest(), unit
