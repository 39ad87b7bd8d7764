import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from pipeline.artifacts.digest import file_digest, value_digest
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.manifest import Input, Manifest, Origin, input_record, input_version
from pipeline.artifacts.publish import publish

DIGEST = value_digest("x")


def test_version_depends_on_what_made_it_and_on_nothing_else(tmp_path: Path) -> None:
    base = {
        "stage": "search",
        "config": {"lr": 0.1, "spaces": {"a": 1, "b": 2}},
        "code": DIGEST,
        "inputs": {"data": {"path": "data/detection/manifest.json", "version": DIGEST}},
        "seed": 1,
    }
    version = Origin.model_validate(base).version
    same = [
        {"config": {"spaces": {"b": 2, "a": 1}, "lr": 0.1}},
        {"inputs": {"data": {"path": "/elsewhere/manifest.json", "version": DIGEST}}},
    ]
    different = [
        {"stage": "screen"},
        {"config": {"lr": 0.2, "spaces": {"a": 1, "b": 2}}},
        {"code": None},
        {"code": value_digest("y")},
        {"inputs": {}},
        {"inputs": {"data": {"path": "data", "version": value_digest("y")}}},
        {"inputs": {"base": {"path": "data", "version": DIGEST}}},
        {"seed": 2},
    ]
    for change in same:
        assert Origin.model_validate(base | change).version == version
    versions = [Origin.model_validate(base | change).version for change in different]
    assert len({version, *versions}) == len(different) + 1

    origin = Origin.model_validate(base)
    manifests = [
        publish(tmp_path / "a", {"x": b"1"}, origin, wall_seconds=1.0),
        publish(tmp_path / "b", {"x": b"2"}, origin, wall_seconds=9.0, gpu_hours=3, device="cuda"),
    ]
    assert {manifest.version for manifest in manifests} == {version}
    assert input_version(tmp_path / "b" / "manifest.json") == version


def test_inputs_are_recorded_relative_to_the_run(tmp_path: Path, origin: Origin) -> None:
    run = tmp_path / "results" / "embedded"
    publish(run / "data", {"x": b"1"}, origin)
    (tmp_path / "user.pth").write_bytes(b"weights")
    inside = input_record(run / "data" / "manifest.json", run)
    assert inside == Input(path="data/manifest.json", version=origin.version)
    outside = input_record(tmp_path / "user.pth", run)
    assert outside.path == str(tmp_path / "user.pth")
    assert outside.version == file_digest(tmp_path / "user.pth")
    moved = tmp_path / "elsewhere"
    shutil.move(run, moved)
    assert input_record(moved / "data" / "manifest.json", moved) == inside


def test_manifest_names_the_packages_and_the_job(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert publish(tmp_path / "a", {}, origin).job is None
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    monkeypatch.setenv("SLURMD_NODENAME", "gpu7")
    publish(tmp_path / "a", {"x": b""}, origin)
    content = json.loads((tmp_path / "a" / "manifest.json").read_bytes())
    assert content["job"] == {"id": "42", "node": "gpu7"}
    assert content["packages"]["torch"] == str(torch.__version__).partition("+")[0]
    assert content["packages"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert content["packages"].keys() == {
        *("python", "detsearch", "torch", "torchvision", "mmdet", "mmengine", "mmcv", "numpy")
    }
    assert "not installed" not in content["packages"].values()
    assert list(content)[:3] == ["format", "stage", "version"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 2}, "is not a manifest of format 1"),
        ({"files": {"../../x": DIGEST}}, "'../../x' cannot be the name of a published file"),
        ({"files": {"x": "md5:1"}}, "files.x: String should match pattern"),
        ({"extra": 1}, "extra: Extra inputs are not permitted"),
        ({"seed": 5}, "says version sha256:"),
    ],
)
def test_a_sealed_manifest_of_wrong_content_is_refused(
    tmp_path: Path, origin: Origin, change: dict, reason: str
) -> None:
    publish(tmp_path, {"x": b""}, origin)
    path = tmp_path / "manifest.json"
    content = json.loads(path.read_bytes()) | change
    del content["digest"]
    path.write_bytes(json_bytes(content | {"digest": value_digest(content)}))
    with pytest.raises(ArtifactError) as caught:
        Manifest.load(path)
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)
