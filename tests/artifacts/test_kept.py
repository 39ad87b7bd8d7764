"""Published files that Snakemake deletes after a driver died are taken back, or made again."""

import errno
import os
import shutil
import time
from pathlib import Path

import pytest

from pipeline.artifacts.errors import PublishError
from pipeline.artifacts.kept import discard_kept
from pipeline.artifacts.lineage import artifact_folders
from pipeline.artifacts.manifest import KEPT, MANIFEST, Origin, input_record, verify
from pipeline.artifacts.publish import newest_time, publish, take_back
from pipeline.artifacts.removal import remove_files

FILES = {"weights": b"W", "images/a.png": b"A", "images/b.png": b"B"}


def test_deleted_outputs_are_taken_back_as_they_were(tmp_path: Path, origin: Origin) -> None:
    publish(tmp_path, FILES, origin)
    manifest = (tmp_path / MANIFEST).read_bytes()
    history = (tmp_path / "history.jsonl").read_bytes()
    (tmp_path / MANIFEST).unlink()
    (tmp_path / "weights").unlink()
    assert take_back(tmp_path, origin) is not None
    assert verify(tmp_path) == []
    assert (tmp_path / MANIFEST).read_bytes() == manifest
    assert (tmp_path / "history.jsonl").read_bytes() == history
    assert not (tmp_path / ".publishing").exists()
    shutil.rmtree(tmp_path / "images")
    assert take_back(tmp_path, origin) is not None
    assert verify(tmp_path) == []


def test_only_the_same_version_is_taken_back(tmp_path: Path, origin: Origin) -> None:
    publish(tmp_path, FILES, origin)
    other = origin.model_copy(update={"seed": 2})
    assert take_back(tmp_path, other) is None
    assert take_back(tmp_path / "elsewhere", origin) is None
    publish(tmp_path, {"weights": b"other"}, other)
    assert take_back(tmp_path, origin) is None
    assert take_back(tmp_path, other) is not None


def test_what_is_damaged_is_made_again(tmp_path: Path, origin: Origin, caplog) -> None:
    publish(tmp_path, FILES, origin)
    (tmp_path / MANIFEST).unlink()
    (tmp_path / KEPT / "files" / "weights").write_bytes(b"?")  # both names are one file
    assert take_back(tmp_path, origin) is None
    assert "weights is not as it was published" in caplog.text
    assert not (tmp_path / KEPT).exists()
    publish(tmp_path, FILES, origin)
    (tmp_path / KEPT / "files" / "weights").unlink()
    assert take_back(tmp_path, origin) is not None, "the file itself is still there"
    (tmp_path / KEPT / MANIFEST).write_bytes(b"{}")
    assert take_back(tmp_path, origin) is None


@pytest.mark.parametrize("call", range(40))
def test_a_crash_at_any_moment_of_publishing_leaves_a_whole_result_or_none(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """After it, what can be taken back is whole; and what cannot was not put in place either."""
    left = call
    with monkeypatch.context() as patch:
        for name in ("link", "rename", "replace", "unlink", "fsync"):
            real = getattr(os, name)

            def counted(*arguments, real=real, **options):
                nonlocal left
                left -= 1
                if left < 0:
                    raise OSError(5, "killed")
                return real(*arguments, **options)

            patch.setattr(os, name, counted)
        try:
            publish(tmp_path, FILES, origin)
        except PublishError:
            pass
        else:
            assert left >= 0
    whole = verify(tmp_path) == []
    taken = take_back(tmp_path, origin)
    assert taken is not None or not whole
    assert (verify(tmp_path) == []) == (taken is not None)


def test_a_removed_file_keeps_no_second_name(tmp_path: Path, origin: Origin) -> None:
    publish(tmp_path, FILES, origin)
    remove_files(tmp_path, ["weights"])
    assert not (tmp_path / KEPT).exists()
    discard_kept(tmp_path)
    assert artifact_folders(tmp_path) == [tmp_path]


def test_nothing_is_published_that_is_older_than_its_newest_input(
    tmp_path: Path, origin: Origin
) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    manifest = publish(first, FILES, origin)
    future = time.time() + 86400.25
    os.utime(first / "images/a.png", (future, future))
    newest = newest_time({first / MANIFEST: manifest})
    assert newest == (first / "images/a.png").stat().st_mtime
    read = origin.model_copy(update={"inputs": {"data": input_record(first / MANIFEST, tmp_path)}})
    made = publish(second, FILES, read, not_before=newest)
    times = {
        path.stat().st_mtime for path in second.rglob("*") if path.name in (MANIFEST, "weights")
    }
    assert len(times) == 1 and newest <= min(times) < newest + 1
    (second / MANIFEST).unlink()
    take_back(second, read, not_before=newest)
    publish(third, FILES, read, not_before=newest_time({second / MANIFEST: made}))
    assert (third / MANIFEST).stat().st_mtime == (second / MANIFEST).stat().st_mtime


def test_what_a_killed_process_left_half_written_goes(tmp_path: Path, origin: Origin) -> None:
    leftover = tmp_path / "..published.json.0123abcd.tmp"
    leftover.write_text("{")
    publish(tmp_path, FILES, origin)
    assert not leftover.exists()


def test_a_file_system_without_hard_links_keeps_copies(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, link: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    publish(tmp_path, FILES, origin)
    (tmp_path / MANIFEST).unlink()
    (tmp_path / "weights").write_bytes(b"?")
    assert take_back(tmp_path, origin) is not None
    assert verify(tmp_path) == []
