"""Whether artifacts belong together, for a stage that reads them and for a whole run."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.artifacts.__main__ import STALE, main
from pipeline.artifacts.check import require_belonging
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import write_json
from pipeline.artifacts.jobs import JOBS, Job, write_jobs
from pipeline.artifacts.lock import LOCK, holder
from pipeline.artifacts.manifest import MANIFEST, Manifest, Origin, input_record
from pipeline.artifacts.publish import publish


def make(run: Path, folder: str, *sources: str, seed: int = 1) -> Path:
    """Publish an artifact that was made from others of the run."""
    inputs = {Path(name).name: input_record(run / name / MANIFEST, run) for name in sources}
    origin = Origin(stage="train", config={}, code=None, inputs=inputs, seed=seed)
    publish(run / folder, {"w.bin": bytes([seed])}, origin)
    return run / folder


def given(*folders: Path) -> Mapping[Path, Manifest]:
    """What a stage is given that reads these artifacts."""
    return {folder / MANIFEST: Manifest.load(folder / MANIFEST) for folder in folders}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """data → hit/screening → hit/supernet, beside a test split of its own."""
    run = tmp_path / "run"
    make(run, "data")
    make(run, "hit/screening", "data")
    make(run, "hit/supernet", "hit/screening")
    return run


def version(folder: Path) -> str:
    return Manifest.load(folder / MANIFEST).version


def test_inputs_of_one_origin_belong_together(run: Path) -> None:
    require_belonging(given(run / "data", run / "hit/supernet"))
    shutil.rmtree(run / "hit/screening")  # what is not there contradicts nothing
    require_belonging(given(run / "data", run / "hit/supernet"))


def test_inputs_that_contradict_each_other_are_refused_with_both_names(run: Path) -> None:
    before = version(run / "data")
    make(run, "data", seed=2)
    with pytest.raises(ArtifactError) as caught:
        # the screening in between is no input of this stage
        require_belonging(given(run / "data", run / "hit/supernet"))
    contradiction, repair = str(caught.value).splitlines()
    assert "do not belong together" in contradiction
    assert f"{run}/hit/screening was made from version {before} of {run}/data" in contradiction
    assert f"which is now {version(run / 'data')}" in contradiction
    assert repair.startswith(f"To repair: delete {run}/hit/screening/manifest.json, and give")


def test_an_input_of_another_run_is_compared_with_the_one_in_its_place(
    run: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(run / "data", other / "data")
    shutil.rmtree(run / "data")
    require_belonging(given(other / "data", run / "hit/screening"))
    make(other, "data", seed=2)
    with pytest.raises(ArtifactError, match=rf"hit/screening was made from .* of {other}/data"):
        require_belonging(given(other / "data", run / "hit/screening"))


def test_runs_that_are_compared_belong_together_each_by_itself(run: Path, tmp_path: Path) -> None:
    """As the report of several seeds reads them: the chain of its own run, and the ends of the others."""
    other = tmp_path / "other"
    make(run, "space")
    make(other, "space", seed=2)
    shutil.copytree(run / "data", other / "data")
    make(other, "hit/screening", "data", "space", seed=2)
    make(other, "hit/supernet", "hit/screening", seed=2)
    own = (run / "data", run / "space", run / "hit/screening", run / "hit/supernet")
    require_belonging(given(*own, other / "hit/supernet"))
    # without its own end there is nothing to compare: the screening stands for that of the other run
    with pytest.raises(ArtifactError, match=rf"other/hit/supernet was made .* {run}/hit/screening"):
        require_belonging(given(*own[:-1], other / "hit/supernet"))
    make(other, "hit/screening", "data", "space", seed=3)
    with pytest.raises(ArtifactError, match=rf"other/hit/supernet was made .* {other}/hit/screen"):
        require_belonging(given(*own, other / "hit/supernet"))


@pytest.mark.parametrize("folder", ["data", "hit/screening", "hit/supernet"])
def test_an_older_version_put_back_is_found_and_named_for_repair(
    run: Path, tmp_path: Path, capsys, folder: str
) -> None:
    """Whole, sound, with its times: only histories and what was made from the newer one tell."""
    aside = tmp_path / "aside"
    shutil.copytree(run / folder, aside)
    for name, *sources in (("data",), ("hit/screening", "data"), ("hit/supernet", "hit/screening")):
        make(run, name, *sources, seed=2)
    assert main(["verify", str(run)]) == 0
    for file in (MANIFEST, "w.bin"):
        shutil.copy2(aside / file, run / folder / file)
    capsys.readouterr()
    assert main(["verify", str(run)]) == STALE
    printed = capsys.readouterr().out
    assert f"{run / folder} is stale: it holds version {version(run / folder)}, but" in printed
    # this one alone: what was made from the newer version is as good as before
    assert printed.splitlines()[-1].startswith(f"To repair: delete {run / folder / MANIFEST}, and")
    if folder != "hit/supernet":
        with pytest.raises(ArtifactError, match=f"delete {run / folder / MANIFEST}, and"):
            require_belonging(given(run / "hit/supernet"))


def test_nothing_that_lies_in_the_run_is_left_out(
    run: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [
        Job(name, f"logs/{name}.log", f"{name}/{MANIFEST}")
        for name in ("data", "hit/screening", "hit/supernet", "hit/search")
    ]
    write_jobs(run, jobs)
    assert main(["verify", str(run)]) == 1
    assert f"{run}/hit/search/{MANIFEST} is missing" in capsys.readouterr().out
    assert main(["verify", str(run / "hit")]) == 1
    assert f"{run}/hit/search/{MANIFEST} is missing" in capsys.readouterr().out
    make(run, "hit/search", "hit/supernet")
    assert main(["verify", str(run.parent)]) == 0

    # a part of the run on another disk, with a link back
    (run / "hit").rename(tmp_path / "elsewhere")
    (run / "hit").symlink_to(tmp_path / "elsewhere")
    (run / "hit/back").symlink_to(run)
    capsys.readouterr()
    assert main(["verify", str(run)]) == 0
    assert "4 artifacts, 4 files" in capsys.readouterr().out
    (run / "hit/supernet/w.bin").write_bytes(b"?")
    assert main(["verify", str(run)]) == 1
    assert "hit/supernet/w.bin was altered" in capsys.readouterr().out

    real = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("supernet"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert main(["verify", str(run)]) == 1
    assert f"{run}/hit/supernet cannot be read (Permission denied)" in capsys.readouterr().out


def test_a_pipe_in_the_place_of_a_file_is_named_and_not_waited_for(run: Path, capsys) -> None:
    for name in ("w.bin", MANIFEST):
        (run / "hit/supernet" / name).unlink()
        os.mkfifo(run / "hit/supernet" / name)
        assert main(["verify", str(run)]) == 1
        assert f"hit/supernet/{name} cannot be read (it is a pipe" in capsys.readouterr().out
    os.mkfifo(run / "hit" / LOCK)
    with pytest.raises(ArtifactError, match="it is a pipe"):
        holder(run / "hit" / LOCK)


@pytest.mark.parametrize("content", [[], {"jobs": [{"name": 1}]}, {"jobs": [{"a": "b"}]}, "x"])
def test_a_damaged_list_of_jobs_is_a_problem_and_written_anew(
    run: Path, capsys, content: object
) -> None:
    write_json(run / JOBS, content)
    assert main(["verify", str(run)]) == 1
    assert "jobs.json is no list of jobs" in capsys.readouterr().out
    write_jobs(run, [])
    assert main(["verify", str(run)]) == 0
