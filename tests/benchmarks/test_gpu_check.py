"""The check of a GPU, on a CPU: what it leaves, what it says of parts that fail or take too long."""

import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu.__main__ import PARTS, main
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.layers import on_sub_grids
from benchmarks.gpu.report import PartResult, Report
from benchmarks.gpu.runner import Part
from benchmarks.gpu.throughput import throughput
from benchmarks.gpu.waits import SAID, counted
from pipeline.search_space.depthwise import DepthwiseConv2d

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_check_on_a_cpu(tmp_path: Path) -> None:
    """Everything but the chain, in small sizes: the report's shape, and that a device agrees with itself."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--tiny", "--device", "cpu"]
    # nothing here is about speed, and the machine may be busy
    limits = [f"{name}=900" for name in PARTS]
    result = subprocess.run(
        [
            *command,
            "--without",
            "chain",
            "--out",
            str(tmp_path),
            "--total",
            "5000",
            "--limit",
            *limits,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-6000:]
    content = json.loads((tmp_path / "gpu.json").read_text())
    assert (content["format"], content["device"], content["tiny"]) == (1, "cpu", True)
    assert content["failed"] == []
    parts = {part["name"]: part for part in content["parts"]}
    assert list(parts) == [name for name in PARTS if name != "chain"]
    for part in parts.values():
        assert part["status"] == "ok" and part["problems"] == []
        assert part["rows"]
    agreed = {row["case"]: row for row in parts["parity"]["rows"]}
    assert len(agreed) == 7
    for row in agreed.values():
        assert row["agrees"] is True and row["loss"] > 0 and row["of gradients"] <= 1e-6
    assert len(parts["screening"]["rows"]) == 7
    assert all(row["later step, s"] > 0 for row in parts["screening"]["rows"])
    # what would wait on a GPU is not seen here, but that every training takes its steps
    assert [row["most"] for row in parts["waits"]["rows"]] == ["none"] * 4
    table = (tmp_path / "gpu.md").read_text()
    assert "## parity: ok" in table and "| 4 paths |" in table


def _measure(bench: Bench) -> None:
    bench.row(case="one", number=1.0)


def _raise(bench: Bench) -> None:
    bench.row(case="before", number=2.0)
    raise RuntimeError("what a part says | when it breaks")


def _attempt(bench: Bench) -> None:
    bench.attempt("breaks", lambda: {"number": 1 / 0})
    bench.attempt("goes on", lambda: {"number": 3.0})


def _last_long(bench: Bench) -> None:
    bench.row(case="first", number=4.0)
    while True:
        time.sleep(0.01)


def _report(tmp_path: Path) -> dict[str, dict]:
    content = json.loads((tmp_path / "gpu.json").read_text())
    return {part["name"]: part for part in content["parts"]} | {"": content}


ON_CPU = ("--tiny", "--device", "cpu", "--out")


def test_a_part_that_fails_is_named_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = {
        "good": Part(_measure, 10),
        "broken": Part(_raise, 10),
        "half": Part(_attempt, 10),
        "last": Part(_measure, 10),
    }
    assert main([*ON_CPU, str(tmp_path)], parts) == 1
    said = capsys.readouterr().out
    assert "WRONG broken: RuntimeError: what a part says" in said
    assert "WRONG half: breaks: ZeroDivisionError" in said
    found = _report(tmp_path)
    assert found[""]["failed"] == ["broken", "half"]
    assert found["broken"]["rows"] == [{"case": "before", "number": 2.0}]
    assert [row["case"] for row in found["half"]["rows"]] == ["breaks", "goes on"]
    assert found["last"]["status"] == "ok"
    assert "WRONG: RuntimeError: what a part says \\| when" in (tmp_path / "gpu.md").read_text()


def test_a_part_that_runs_out_of_time_says_so_and_is_no_failure(tmp_path: Path) -> None:
    parts = {
        "long": Part(_last_long, 100),
        "next": Part(_measure, 10),
        "beside": Part(_measure, 10, beside=True),
    }
    # `long` never ends by itself
    assert main([*ON_CPU, str(tmp_path), "--limit", "long=0.5"], parts) == 0
    found = _report(tmp_path)
    assert found["long"]["status"] == "out of time" and found["long"]["rows"]
    assert found["next"]["status"] == found["beside"]["status"] == "ok"
    assert main([*ON_CPU, str(tmp_path), "--only", "long", "next", "--total", "2"], parts) == 0
    assert {part["status"] for part in _report(tmp_path)[""]["parts"]} == {"out of time"}


def test_a_line_of_ours_that_waits_for_the_gpu_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch's warnings are planted, where this code would be, and a library."""
    modes: list[str] = []
    monkeypatch.setattr("torch.cuda.set_sync_debug_mode", modes.append)
    places = (ROOT / "pipeline/training/planted.py", Path("/lib/mmdet/models/heads/planted.py"))
    lines = [compile(f"warnings.warn({SAID!r})", str(place), "exec") for place in places]
    taken: list[str] = []

    def step() -> None:
        taken.append(modes[-1] if modes else "default")
        for line in (*lines, lines[1]):
            exec(line, {"warnings": warnings})
        warnings.warn("another warning", stacklevel=1)

    result = PartResult("waits", 10)
    report: Any = Report(tmp_path, {})
    bench = Bench(torch.device("cuda"), True, tmp_path, report, result, lambda: None)
    with warnings.catch_warnings(record=True):  # those of the first step
        row = counted(bench, "screening", lambda: step)
    assert taken == ["default", "warn"] and modes == ["warn", "default"]
    assert row == {
        "waits of this code": 1,
        "of libraries": 2,
        "most": "models/heads/planted.py:1 (2), pipeline/training/planted.py:1 (1)",
    }
    assert result.problems == [
        "screening: pipeline/training/planted.py:1 waits for the GPU 1 times in a step"
    ]


def _throughputs(folder: Path, **measured: dict[str, Any]) -> dict[str, Any]:
    report: Any = Report(folder, {})
    for part, row in measured.items():
        report.begin(part, 10).rows.append(row)
    result = report.begin("throughput", 5)
    throughput(Bench(torch.device("cpu"), False, folder, report, result, lambda: None))
    return {row["key"]: row["value"] for row in result.rows}


def test_the_plan_s_keys_follow_from_what_was_measured(tmp_path: Path) -> None:
    """The first run's numbers (docs/reference/gpu.md): what 7.49 s of dense work leave of 10.88 s."""
    candidate = {"case": "2 images, float32", "GMAC/s": 13400.0}
    screening = {
        "case": "as the stages compute, float32",
        "GMAC of the plan": 102_900.0,
        "of them depthwise": 2540.0,
        "later step, s": 10.88,
    }
    found = _throughputs(tmp_path, screening=screening, candidate=candidate)
    assert found["plan.gpu_gmacs"] == 13400
    assert found["plan.gpu_depthwise_gmacs"] == pytest.approx(750, rel=0.01)
    no_memory = {"case": screening["case"], "outcome": "out of memory"}
    found = _throughputs(tmp_path, screening=no_memory, candidate=candidate)
    assert found["plan.gpu_depthwise_gmacs"] == "not measured"
    assert set(_throughputs(tmp_path, screening=screening).values()) == {"not measured"}


def test_parts_are_chosen_by_name(tmp_path: Path) -> None:
    parts = {"one": Part(_measure, 10), "two": Part(_raise, 10)}
    assert main([*ON_CPU, str(tmp_path), "--without", "two"], parts) == 0
    assert main([*ON_CPU, str(tmp_path), "--only", "one"], parts) == 0
    for wrong in (["--only", "three"], ["--limit", "three=1"], ["--limit", "one=soon"]):
        with pytest.raises(SystemExit):
            main([*ON_CPU, str(tmp_path), *wrong], parts)


@pytest.mark.parametrize(("kernel", "dilation"), [(3, 2), (5, 2), (3, 3), (5, 3), (7, 4)])
@pytest.mark.parametrize("size", [(7, 7), (12, 18), (20, 31), (2, 1)])
def test_sub_grids_are_the_dilated_convolution(
    kernel: int, dilation: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    module = DepthwiseConv2d(6, kernel, 1, dilation).double()
    x = torch.randn(2, 6, *size, dtype=torch.float64).to(memory_format=torch.channels_last)
    x.requires_grad_()
    expected = torch.nn.functional.conv2d(
        x, module.weight, padding=dilation * (kernel // 2), dilation=dilation, groups=6
    )
    found = on_sub_grids(x, module.weight, dilation)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, expected)
    gradient = torch.randn_like(expected)
    for mine, other in zip(
        torch.autograd.grad(found, (x, module.weight), gradient),
        torch.autograd.grad(expected, (x, module.weight), gradient),
        strict=True,
    ):
        torch.testing.assert_close(mine, other)
