"""Files that are removed on purpose: checks know it, whoever needs them is told, and publishing undoes it."""

from pathlib import Path

import pytest
import torch

from pipeline.artifacts.check import check_run
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.manifest import Manifest, Origin, open_artifact, verify
from pipeline.artifacts.publish import publish
from pipeline.artifacts.removal import remove_files
from pipeline.artifacts.weights import load_weights, save_weights

ORIGIN = Origin(stage="train", config={}, code=None, inputs={}, seed=0)
WEIGHTS = "weights.safetensors"


def _publish(folder: Path) -> Manifest:
    tensors = {"a.x": torch.arange(3.0), "b.x": torch.ones(2)}
    return publish(
        folder, {WEIGHTS: lambda path: save_weights(path, tensors), "score.json": b"1"}, ORIGIN
    )


def test_a_removed_file_is_no_problem_but_a_lost_or_altered_one_is(tmp_path: Path) -> None:
    manifest = _publish(tmp_path)
    assert remove_files(tmp_path, [WEIGHTS]) == remove_files(tmp_path, [WEIGHTS]) == [WEIGHTS]
    assert not (tmp_path / WEIGHTS).exists()
    assert verify(tmp_path) == [] and check_run(tmp_path).problems == []
    assert open_artifact(tmp_path / "manifest.json") == manifest
    (tmp_path / WEIGHTS).write_bytes(b"other")
    assert "was altered" in verify(tmp_path)[0]
    (tmp_path / "score.json").unlink()
    assert len(verify(tmp_path)) == 2


def test_whoever_needs_a_removed_file_is_told(tmp_path: Path) -> None:
    _publish(tmp_path)
    remove_files(tmp_path, [WEIGHTS])
    with pytest.raises(
        ArtifactError, match=r"weights\.safetensors was removed.*Snakemake makes it"
    ):
        load_weights(tmp_path / WEIGHTS)
    with pytest.raises(ArtifactError, match="has no file 'other'"):
        remove_files(tmp_path, ["other"])


def test_publishing_again_forgets_the_removal(tmp_path: Path) -> None:
    _publish(tmp_path)
    remove_files(tmp_path, [WEIGHTS])
    _publish(tmp_path)
    assert verify(tmp_path) == []
    (tmp_path / WEIGHTS).unlink()
    assert "is missing" in verify(tmp_path)[0]


def test_tensors_are_read_by_the_beginning_of_their_names(tmp_path: Path) -> None:
    _publish(tmp_path)
    tensors, _ = load_weights(tmp_path / WEIGHTS, "b.")
    assert tensors.keys() == {"x"} and torch.equal(tensors["x"], torch.ones(2))
