"""`python -m pipeline.artifacts digests`: which results of two runs have other bytes."""

import hashlib
import shutil
from pathlib import Path

import pytest

from pipeline.artifacts.__main__ import main
from pipeline.artifacts.manifest import Origin
from pipeline.artifacts.publish import publish
from pipeline.artifacts.removal import remove_files


@pytest.fixture
def run(tmp_path: Path, origin: Origin) -> Path:
    folder = tmp_path / "run"
    publish(
        folder / "search",
        {
            "weights.safetensors": b"\x01",
            "scores.json": b"{}",
            "speed.json": b"0.1",
            "loss.svg": b"<svg/>",
            "images/1.png": b"png",
        },
        origin,
    )
    publish(folder / "candidate", {"weights.safetensors": b"\x02", "config.py": b"a = 1"}, origin)
    return folder


def republished(run: Path, origin: Origin, **contents: bytes) -> Path:
    """A copy of the run whose search was made again, with other times and these contents."""
    other = run.with_name("other")
    shutil.copytree(run, other)
    files = {
        "weights.safetensors": contents.pop("weights", b"\x01"),
        "speed.json": b"0.2",
        "loss.svg": b"<svg>2</svg>",
        **{f"{name}.json": content for name, content in contents.items()},
    }
    publish(other / "search", files, origin, wall_seconds=7.0)
    return other


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_every_result_has_a_line_and_no_measured_time_has(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["digests", str(run)]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == [
        f"candidate/config.py  {sha256(b'a = 1')}",
        f"candidate/weights.safetensors  {sha256(bytes([2]))}",
        f"search/scores.json  {sha256(b'{}')}",
        f"search/weights.safetensors  {sha256(bytes([1]))}",
    ]
    assert last.startswith("all 4 results  sha256:")
    shutil.move(run, run.with_name("moved"))
    main(["digests", str(run.with_name("moved"))])
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_runs_that_took_other_times_are_the_same(
    run: Path, origin: Origin, capsys: pytest.CaptureFixture[str]
) -> None:
    other = republished(run, origin, scores=b"{}")
    assert main(["digests", str(other), "--against", str(run)]) == 0
    assert capsys.readouterr().out == "4 results: all the same\n"


def test_what_differs_is_missing_or_new_is_named(
    run: Path, origin: Origin, capsys: pytest.CaptureFixture[str]
) -> None:
    other = republished(run, origin, weights=b"\x03", metrics=b"{}")
    assert main(["digests", str(other), "--against", str(run)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "new: search/metrics.json",
        "missing: search/scores.json",
        "differs: search/weights.safetensors",
        "4 results: 3 differences",
    ]


def test_weights_that_were_removed_on_purpose_are_compared(
    run: Path, origin: Origin, capsys: pytest.CaptureFixture[str]
) -> None:
    other = republished(run, origin, scores=b"{}")
    remove_files(run / "candidate", ["weights.safetensors"])
    assert main(["digests", str(other), "--against", str(run)]) == 0
    capsys.readouterr()
    (other / "candidate/weights.safetensors").write_bytes(b"\x09")
    assert main(["digests", str(other), "--against", str(run)]) == 1
    assert capsys.readouterr().out.startswith("differs: candidate/weights.safetensors\n")


def test_a_file_that_is_gone_is_an_error(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "candidate/config.py").unlink()
    assert main(["digests", str(run)]) == 1
    assert "candidate/config.py is missing" in capsys.readouterr().err
    assert main(["digests", str(run), "--against", str(run / "nowhere")]) == 1
    assert "nowhere is no folder" in capsys.readouterr().err
