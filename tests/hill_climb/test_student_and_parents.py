"""Around the search: the student's input size, the weights of a list, the list's and a wave's files."""

from pathlib import Path

import pytest
import torch

from pipeline.artifacts.errors import ArtifactError
from pipeline.errors import DetSearchError
from pipeline.hill_climb.parents import PARENTS, Parent, load_parent, parents_content
from pipeline.hill_climb.records import (
    PROPOSALS,
    Name,
    Ranking,
    load_evaluation,
    load_proposals,
    proposals_bytes,
)
from pipeline.hill_climb.student import at_resolution
from pipeline.zoo.architectures import zoo_architecture


@pytest.mark.parametrize(
    ("size", "used", "chosen", "expected"),
    [
        ((128, 128), (128, 128), (96, 96), (96, 96)),
        ((64, 64), (64, 64), (48, 48), (64, 64)),
        # the paper's: 800 · 600 / 800 = 600 → 608, 1216 · 800 / 1333 = 729.8 → 736
        ((800, 1216), (1333, 800), (800, 600), (608, 736)),
        ((1216, 800), (1333, 800), (800, 600), (736, 608)),
        ((800, 1216), (1333, 800), (1333, 800), (800, 1216)),
    ],
)
def test_costs_are_counted_at_what_a_batch_is_padded_to(
    size: tuple[int, int],
    used: tuple[int, int],
    chosen: tuple[int, int],
    expected: tuple[int, int],
) -> None:
    network = zoo_architecture("fpn_r18").model_copy(update={"input_size": size})
    result = at_resolution(network, used, chosen)
    assert result.input_size == expected
    assert result.model_copy(update={"input_size": size}) == network


def test_a_list_keeps_the_weights_of_its_members_apart(tmp_path: Path) -> None:
    one, ten = Name(generation=0, candidate=1), Name(generation=0, candidate=10)
    content = parents_content(
        dict(  # noqa: C406
            [
                (one, Parent({"x": torch.ones(2)}, {"x": torch.full((1,), 3.0)})),
                (ten, Parent({"x": torch.zeros(3)}, {"y": torch.full((1,), 4.0)})),
            ]
        )
    )
    assert callable(content)
    content(tmp_path / PARENTS)
    first, second = load_parent(tmp_path, one), load_parent(tmp_path, ten)
    assert torch.equal(first.weights["x"], torch.ones(2)) and list(first.weights) == ["x"]
    assert torch.equal(second.weights["x"], torch.zeros(3))
    assert first.statistics == {"x": torch.tensor([3.0])}
    assert second.statistics == {"y": torch.tensor([4.0])}
    with pytest.raises(DetSearchError, match="holds no weights of generation_2/candidate_0"):
        load_parent(tmp_path, Name(generation=2, candidate=0))


def test_a_wave_after_the_last_is_empty_and_has_no_evaluation(tmp_path: Path) -> None:
    (tmp_path / PROPOSALS).write_bytes(proposals_bytes(()))
    assert load_proposals(tmp_path) == ()
    assert load_evaluation(tmp_path) is None
    with pytest.raises(ArtifactError):
        load_proposals(tmp_path / "nowhere")
    (tmp_path / PROPOSALS).write_text('[{"format": 2}]')
    with pytest.raises(ArtifactError, match="is not what is read here"):
        load_proposals(tmp_path)
    with pytest.raises(DetSearchError, match="generation_0/candidate_1 is not in the list"):
        Ranking().find(Name(generation=0, candidate=1))
