"""What a search gains over seeds: read off runs, with the interval by hand."""

import shutil
from pathlib import Path

import pytest
from synthetic_joint import add_joint
from synthetic_run import make_run

from benchmarks.joint_gain import Run, interval, main


def test_the_interval_of_three_paired_differences_by_hand() -> None:
    # standard deviation 1, t(0.975, 2) = 4.303
    assert interval([1.0, 2.0, 3.0]) == pytest.approx((2.0, 4.3027 / 3**0.5), rel=1e-4)
    assert interval([0.5]) == (0.5, float("inf"))


def test_a_run_is_read_and_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path / "seed0")
    add_joint(folder)
    root = folder / "joint_detnas"
    shutil.copytree(root / "hill_climb/descent", root / "random/descent")
    shutil.copytree(root / "base/evaluation", root / "random/student/evaluation")
    run = Run.read(folder)
    assert run.ap == pytest.approx({"base": 30, "base_longer": 32, "student": 34.5, "random": 30})
    assert run.line == ("prune_channels", "prune_channels") and run.teachers == (1, 6)
    assert run.score == {"search": 0.6, "random": 0.6}
    main([str(folder)])
    printed = capsys.readouterr().out
    assert printed.splitlines()[1].split()[:3] == ["seed0", "0.68", "30.00"]
    assert "1 of 6 mutate the teacher" in printed
