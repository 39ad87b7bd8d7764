import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.artifacts.errors import ArtifactError, PublishError
from pipeline.artifacts.files import write_json
from pipeline.artifacts.manifest import Manifest, Origin, check_name, open_artifact, verify
from pipeline.artifacts.publish import publish

OLD = {"scores.json": b"old", "images/a.png": b"A", "images/b.png": b"B", "flat": b"file"}
NEW = {"scores.json": b"new", "images/b.png": b"BB", "images/c/d.png": b"D", "flat/x": b"folder"}
CALLS = ("replace", "unlink", "fsync", "mkdir", "rmdir", "utime")


def content(folder: Path) -> dict[str, bytes]:
    """What a reader sees: all files but the publisher's own."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and not path.relative_to(folder).as_posix().startswith(".")
        and path.name != "history.jsonl"
    }


def without_manifest(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name != "manifest.json"}


class Fault:
    """Raises at the n-th of all calls of some functions of `os`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, position: int, error: OSError) -> None:
        self.left, self.error = position, error
        for name in CALLS:
            monkeypatch.setattr(os, name, self.wrapped(getattr(os, name)))

    def wrapped(self, call: Callable) -> Callable:
        def counted(*arguments, **options):
            self.left -= 1
            if self.left == -1:
                raise self.error
            return call(*arguments, **options)

        return counted


def test_files_of_every_kind_are_published_and_stale_ones_removed(
    tmp_path: Path, origin: Origin
) -> None:
    folder = tmp_path / "hit_detector"
    (folder / "search").mkdir(parents=True)
    (folder / "search" / "manifest.json").write_text("another stage's")
    (folder / "stray").write_text("not listed anywhere")
    publish(folder, OLD, origin)
    foreign = {"search/manifest.json": b"another stage's", "stray": b"not listed anywhere"}
    assert without_manifest(content(folder)) == OLD | foreign

    made = folder / "work" / "v_1" / "dataset"
    (made / "train").mkdir(parents=True)
    (made / "train" / "1.png").write_bytes(b"one")
    outside = tmp_path / "user.pth"
    outside.write_bytes(b"user")
    (made / "link").symlink_to(outside)
    manifest = publish(
        folder,
        {
            "scores.json": b"new",
            "dataset": made,
            "base.pth": outside,
            "history.json": lambda path: write_json(path, {"records": []}),
        },
        origin,
        device="cpu",
        wall_seconds=1.23456,
    )
    assert without_manifest(content(folder)) == foreign | {
        "scores.json": b"new",
        "dataset/train/1.png": b"one",
        "dataset/link": b"user",
        "base.pth": b"user",
        "history.json": b'{\n "records": []\n}\n',
        "work/v_1/dataset/link": b"user",
    }
    assert not (folder / "images").exists()
    assert not (folder / "dataset" / "link").is_symlink()
    assert outside.exists()
    assert open_artifact(folder / "manifest.json") == manifest
    assert manifest.wall_seconds == 1.235
    assert not (folder / ".publishing").exists()


def test_stale_files_go_although_snakemake_removed_the_manifest(
    tmp_path: Path, origin: Origin
) -> None:
    publish(tmp_path, OLD, origin)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "scores.json").unlink()
    publish(tmp_path, NEW, origin)
    assert without_manifest(content(tmp_path)) == NEW


def test_published_files_are_newer_than_the_stage_began(tmp_path: Path, origin: Origin) -> None:
    # A resumed stage may publish what it made before an input was touched.
    private = tmp_path / "work" / "w"
    private.parent.mkdir()
    private.write_bytes(b"x")
    os.utime(private, (1e9, 1e9))
    publish(tmp_path, {"w": private}, origin)
    assert (tmp_path / "w").stat().st_mtime > 1.5e9


@pytest.mark.parametrize(("old", "new"), [(OLD, NEW), (NEW, OLD)])
def test_a_crash_at_any_call_leaves_old_state_or_no_manifest(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch, old: dict, new: dict
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # for speed; its calls still count
    crashes = unfinished = 0
    publish(tmp_path / "old", old, origin)
    before = content(tmp_path / "old")
    for position in range(1000):
        folder = tmp_path / str(position)
        shutil.copytree(tmp_path / "old", folder)
        with monkeypatch.context() as patch:
            fault = Fault(patch, position, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
            try:
                publish(folder, new, origin)
            except PublishError as error:
                assert "No space left on device" in str(error)
                assert str(folder) in str(error)
            if fault.left >= 0:
                break
        crashes += 1
        after = content(folder)
        if "manifest.json" not in after:
            unfinished += 1
        elif after["manifest.json"] == before["manifest.json"]:
            assert after == before
        else:
            # the very last sync, of a name that is already there
            assert without_manifest(after) == new
            assert verify(folder) == []
        # And whatever happened, the next run puts all right, stale files included.
        publish(folder, new, origin)
        assert without_manifest(content(folder)) == new
        assert verify(folder) == []
        shutil.rmtree(folder)
    assert crashes > 30
    assert unfinished > 10


def test_every_altered_byte_and_every_missing_file_is_named(tmp_path: Path, origin: Origin) -> None:
    publish(tmp_path, OLD, origin)
    names = [*OLD, "manifest.json"]
    for name in names:
        path = tmp_path / name
        whole = path.read_bytes()
        damaged = [
            whole[:i] + bytes([whole[i] ^ mask]) + whole[i + 1 :]
            for i in range(len(whole))
            for mask in (3, 255)  # 3 makes a tab of a newline
        ]
        for bad in [*damaged, whole[:-1], whole[: len(whole) // 2], b""]:
            path.write_bytes(bad)
            with pytest.raises(ArtifactError) as caught:
                open_artifact(tmp_path / "manifest.json")
            assert str(path) in str(caught.value)
        assert all(str(path) in problem for problem in verify(tmp_path))
        path.unlink()
        with pytest.raises(ArtifactError, match=f"{path} is missing"):
            open_artifact(tmp_path / "manifest.json")
        path.write_bytes(whole)
    assert open_artifact(tmp_path / "manifest.json").files.keys() == OLD.keys()


def test_problems_give_both_digests_and_are_reported_together(
    tmp_path: Path, origin: Origin
) -> None:
    expected = publish(tmp_path, OLD, origin).files
    (tmp_path / "scores.json").write_bytes(b"abc")
    (tmp_path / "flat").unlink()
    abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    old = expected["scores.json"]
    assert verify(tmp_path) == [
        f"{tmp_path / 'scores.json'} was altered: expected {old}, found {abc}",
        f"{tmp_path / 'flat'} is missing (expected {expected['flat']}, "
        f"from {tmp_path / 'manifest.json'})",
    ]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"../x": b""}, "'../x' cannot be the name of a published file"),
        ({"/x": b""}, "'/x' cannot be the name"),
        ({"manifest.json": b""}, "'manifest.json' cannot be the name"),
        ({"work/x": b""}, "'work/x' cannot be the name"),
        ({"history.jsonl": b""}, "'history.jsonl' cannot be the name"),
        ({"a//b": b""}, "'a//b' cannot be the name"),
        ({"a": b"", "a/b": b""}, "a would be both a file and a folder"),
        ({"x": Path("/no/such")}, "/no/such cannot be published: there is no such file"),
        ({"x": lambda path: None}, "x was not written by the function"),
        ({"search": b""}, "search cannot be published: a folder of that name exists"),
        ({"stray/x": b""}, "stray is a file"),
    ],
)
def test_unusable_files_are_refused_before_anything_changes(
    tmp_path: Path, origin: Origin, files: dict, reason: str
) -> None:
    publish(tmp_path, OLD, origin)
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "x").write_bytes(b"another stage's")
    (tmp_path / "stray").write_bytes(b"")
    before = content(tmp_path)
    with pytest.raises(ArtifactError) as caught:
        publish(tmp_path, {"scores.json": b"new", **files}, origin)
    assert reason in str(caught.value)
    assert content(tmp_path) == before


def test_an_altered_manifest_or_inventory_cannot_make_publishing_delete_elsewhere(
    tmp_path: Path, origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "artifact"
    (tmp_path / "precious").write_bytes(b"")
    publish(folder, OLD, origin)
    write_json(folder / ".published.json", {"files": ["../precious"]})
    (folder / "manifest.json").write_bytes(b"{")
    publish(folder, OLD, origin)
    assert (tmp_path / "precious").exists()
    assert "stale files may stay" in caplog.text
    assert isinstance(Manifest.load(folder / "manifest.json"), Manifest)
    with pytest.raises(ValueError, match="cannot be the name"):
        check_name("../precious")
