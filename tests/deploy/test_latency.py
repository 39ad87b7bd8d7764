"""Latencies: what is timed, in which order, and what the record says."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from exported_detectors import Exported

from pipeline import latency
from pipeline.deploy.latency import interleaved_seconds, summary
from pipeline.errors import DetSearchError

IMAGES = [np.zeros((4, 4, 3), np.uint8), np.ones((4, 4, 3), np.uint8)]


def test_detectors_take_turns_and_only_their_own_time_counts() -> None:
    """On a clock that only detectors move: 2 and 7 s an image, all ten times as slow in the warm-up."""
    now, calls = 0.0, []

    def detector(name: str, seconds: float) -> Callable[[object], None]:
        def detect(image: object) -> None:
            nonlocal now
            now += seconds * (10 if len(calls) < 4 else 1)
            calls.append((name, int(np.asarray(image).max())))

        return detect

    found = interleaved_seconds(
        {"a": detector("a", 2.0), "b": detector("b", 7.0)},
        IMAGES,
        rounds=10,
        warm_up=1,
        clock=lambda: now,
    )
    assert found == {"a": [2.0] * 20, "b": [7.0] * 20}
    turns = [tuple(calls[start : start + 2]) for start in range(0, len(calls), 2)]
    assert len(turns) == 22
    # both see an image before the next comes, and either may be first
    assert all({name for name, _ in turn} == {"a", "b"} for turn in turns)
    assert [turn[0][1] for turn in turns] == [turn[1][1] for turn in turns] == [0, 1] * 11
    assert {turn[0][0] for turn in turns} == {"a", "b"}
    with pytest.raises(DetSearchError, match="at least one detector"):
        interleaved_seconds({}, IMAGES, rounds=1)


def test_a_summary_is_in_milliseconds() -> None:
    found = summary("m", [0.005, 0.001, 0.002, 0.004, 0.003])
    assert (found.lower_quartile, found.median, found.upper_quartile) == pytest.approx((2, 3, 4))
    assert (found.least, found.spread, found.runs) == (pytest.approx(1), pytest.approx(2), 5)


@pytest.mark.slow
@pytest.mark.xdist_group("exported")
def test_the_program_prints_a_table_and_writes_the_record(
    exported: Callable[[str], Exported], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(exported(kind).onnx) for kind in ("baseline", "MobileNetV2 RetinaNet")]
    capsys.readouterr()
    record = tmp_path / "latency.json"
    latency.main([*files, "--rounds", "2", "--json", str(record)])
    found = json.loads(record.read_text())
    assert (found["threads"], found["images"], found["rounds"]) == (1, 5, 2)
    printed = capsys.readouterr().out
    assert f"onnxruntime {found['packages']['onnxruntime']} on " in printed
    assert [model["model"] for model in found["models"]] == files
    assert all(
        model["runs"] == 10 and 0 < model["least"] <= model["median"] for model in found["models"]
    )
    medians = [float(line.split()[0]) for line in printed.splitlines()[2:]]
    assert len(medians) == 2 and medians == sorted(medians)
    with pytest.raises(SystemExit, match="latency: a detector is given twice"):
        latency.main([files[0], files[0]])
    with pytest.raises(SystemExit, match="latency: no such file"):
        latency.main([str(tmp_path / "none.onnx")])
