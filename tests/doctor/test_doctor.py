"""The doctor names each fault and what to do; what works it calls ok."""

import os
from collections import namedtuple
from importlib.metadata import version
from pathlib import Path

import pytest

from pipeline.config.data import DataConfig
from pipeline.config.root import load_config
from pipeline.doctor.__main__ import line, main
from pipeline.doctor.datasets import datasets, given_weights
from pipeline.doctor.environment import (
    LOCK,
    OLDER_DRIVERS,
    code,
    compiled_ops,
    devices,
    disk,
    driver,
    generations,
    installed_lock,
    packages,
    pins,
    slurm,
)


def test_the_environment_of_the_tests_is_as_locked() -> None:
    assert packages().state == "ok", packages().found


def test_code_of_another_checkout_is_a_fault_unless_it_was_asked_for(tmp_path: Path) -> None:
    here = Path(__file__).parents[2]
    assert code(tmp_path, {}).state == "ok", "no checkout"
    assert code(here, {}).state == "ok"
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/__init__.py").touch()
    finding = code(tmp_path, {"PYTHONPATH": "/nowhere"})
    assert finding.state == "fault"
    assert f"that of {here}, not of the working directory, {tmp_path}" in finding.found
    assert "--write-pth" in finding.advice
    assert code(tmp_path, {"PYTHONPATH": f"/nowhere:{here}"}).state == "ok"


def test_a_missing_and_a_differing_package_are_both_named(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    here = version("pydantic")
    lock.write_text(
        "# pinned\nno-such-package==1.0\npydantic==1.2.3\nnumpy==0.1\n"
        "no-such-wheel==2.0 ; platform_machine == 'x86_64'\n"
    )
    finding = packages(lock)
    assert finding.state == "fault"
    assert "no-such-package is missing (locked: 1.0)" in finding.found
    assert f"pydantic is {here} (locked: 1.2.3)" in finding.found
    assert "no-such-wheel" not in finding.found, "meant for another platform"
    assert "requirements.lock" in finding.advice


def test_a_gpu_that_is_asked_for_and_not_there_is_a_fault(monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert devices("auto").state == "ok"
    assert devices("cuda").state == "fault"
    assert "srun" in devices("cuda").advice


def test_both_locks_differ_in_what_belongs_to_cuda_alone() -> None:
    usual, older = ({p["name"]: p["version"] for p in pins(lock)} for lock in (LOCK, OLDER_DRIVERS))
    other = {name for name in usual.keys() | older.keys() if usual.get(name) != older.get(name)}
    cuda = ("nvidia-", "cuda-", "torch", "torchvision", "triton")
    assert {name for name in other if not name.startswith(cuda)} == set()
    assert usual["torch"] > "2.14" and older["torch"] == "2.10.0"
    assert not any(name.endswith("-cu13") for name in older)
    assert installed_lock() == LOCK


def _loaded(folder: Path, version: str) -> Path:
    path = folder / "version"
    path.write_text(
        f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Wed Jan 1 00:00:00 UTC 2026\n"
        "GCC version:  gcc version 12.2.0\n"
    )
    return path


@pytest.mark.parametrize(
    ("version", "cuda", "state", "advice"),
    [
        ("580.159.04", "13.0", "ok", ""),
        (
            "570.86.15",
            "13.0",
            "fault",
            "requirements.cuda12.lock, with a torch built for CUDA 12, which needs 525",
        ),
        ("570.86.15", "12.8", "ok", ""),
        ("470.82.01", "13.0", "fault", "update the driver"),
    ],
)
def test_a_driver_too_old_for_torch_s_cuda_is_a_fault(
    version: str, cuda: str, state: str, advice: str, tmp_path: Path
) -> None:
    finding = driver(cuda, "cuda", _loaded(tmp_path, version))
    assert finding.state == state
    assert f"{version} is loaded" in finding.found
    assert f"needs NVIDIA's driver {580 if cuda == '13.0' else 525} or newer" in finding.found
    assert advice in finding.advice and bool(advice) == bool(finding.advice)


BUILT_FOR = ["sm_75", "sm_80", "sm_86", "sm_90a", "sm_100", "compute_120"]


@pytest.mark.parametrize(
    ("name", "capability", "runs"),
    [
        ("Tesla V100", (7, 0), False),
        ("Tesla T4", (7, 5), True),
        # an Ada GPU runs code for Ampere
        ("NVIDIA L40", (8, 9), True),
        ("NVIDIA H100", (9, 0), True),
        # of 10.x there is code for 10.0 alone, which 11.0 does not run
        ("NVIDIA Thor", (11, 0), False),
        # what is still to be compiled runs on all that come
        ("RTX 50", (12, 0), True),
        ("a GPU to come", (13, 0), True),
    ],
)
def test_a_gpu_that_torch_holds_no_code_for_is_a_fault(
    name: str, capability: tuple[int, int], runs: bool
) -> None:
    finding = generations([("NVIDIA A100", (8, 0)), (name, capability)], BUILT_FOR, "auto")
    assert finding.state == ("ok" if runs else "fault")
    assert name in finding.found
    if runs:
        return
    assert (
        f"no code for {name} (compute capability {capability[0]}.{capability[1]})" in finding.found
    )
    assert "NVIDIA A100" not in finding.found and "sm_75" in finding.found
    assert "run.device: cpu" in finding.advice
    assert ("older than 7.5" in finding.advice) == (capability < (7, 5))
    assert generations([(name, capability)], BUILT_FOR, "cpu").state == "note"


def test_without_a_gpu_no_generation_is_missed() -> None:
    assert generations([], [], "cuda").state == "ok"
    assert generations([("NVIDIA A100", (8, 0))], [], "cuda").state == "fault", "a torch for CPUs"


def test_without_a_driver_only_a_run_on_gpus_is_at_fault(tmp_path: Path) -> None:
    for wanted, state in (("cuda", "fault"), ("auto", "ok")):
        finding = driver("13.0", wanted, tmp_path / "nothing")
        assert finding.state == state
        assert "580 or newer; none is loaded here" in finding.found
    assert driver(None, "cuda", tmp_path / "nothing").state == "ok"


def test_mmcvs_kernels_are_tried_and_named() -> None:
    finding = compiled_ops()
    assert finding.state == "ok"
    assert "kernels: " in finding.found


def test_every_path_of_the_datasets_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.json").touch()
    split = {"annotations": str(tmp_path / "train.json"), "images": str(tmp_path / "absent")}
    data = DataConfig.model_validate(
        {"detection": {"source": "coco", "coco": {"train": split, "val": split}}}
    )
    detection, classification = datasets(data)
    assert detection.state == "fault"
    assert f"data.detection.coco.train.images: {tmp_path / 'absent'}" in detection.found
    assert "data.detection.coco.val.images" in detection.found
    assert "annotations" not in detection.found
    assert classification.state == "ok"


def test_slurm_is_a_note_where_it_is_absent_or_half_there(tmp_path: Path) -> None:
    (absent,) = slurm({"PATH": str(tmp_path)})
    assert (absent.state, absent.subject) == ("note", "SLURM")
    command(tmp_path / "sbatch", "exit 0")
    (half,) = slurm({"PATH": str(tmp_path)})
    assert half.state == "note"
    assert "squeue" in half.found
    assert "sbatch" not in half.found


def test_slurms_controller_is_asked(tmp_path: Path, monkeypatch) -> None:
    for name in ("sbatch", "squeue", "scancel", "srun"):
        command(tmp_path / name, "exit 0")
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    command(tmp_path / "sinfo", "echo unable to contact slurmctld >&2; exit 1")
    (silent,) = slurm({"PATH": path})
    assert silent.state == "note"
    assert "no cluster: unable to contact slurmctld" in silent.found
    command(tmp_path / "sinfo", "echo 'gpu* 4 nodes gpu:8'")
    (answering,) = slurm({"PATH": path})
    assert (answering.state, answering.found) == ("ok", "gpu* 4 nodes gpu:8")


def test_a_folder_that_is_not_there_yet_is_judged_by_its_disk(tmp_path: Path, monkeypatch) -> None:
    usage = namedtuple("usage", "total used free")(2**40, 2**40 - 2**29, 2**29)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage if path == tmp_path else None)
    finding = disk(tmp_path / "results" / "mine")
    assert finding.state == "fault"
    assert finding.found.startswith("0.5 GiB free")


def test_the_command_prints_a_line_each_and_fails_on_a_fault(tmp_path, capsys, monkeypatch) -> None:
    # as on a machine without SLURM's commands: where they are, they may not be configured
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as fine:
        main([])
    assert fine.value.code == 0
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "data:\n  classification:\n    source: image_folder\n"
        "    image_folder: {train: /no/such/train, val: /no/such/val}\n"
    )
    capsys.readouterr()
    with pytest.raises(SystemExit) as faulty:
        main(["--configfile", str(mine)])
    printed = capsys.readouterr().out
    assert faulty.value.code == 1
    assert "fault   data.classification: not there: " in printed
    assert printed.endswith("1 fault\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- a list\n", "holds no sections"),
        ("run: [unclosed\n", "is not YAML"),
        ("run: {sead: 1}\n", r"run\.sead: unknown key"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_config_that_cannot_be_used_is_refused(tmp_path, content, message) -> None:
    mine = tmp_path / "mine.yaml"
    if content is not None:
        mine.write_text(content)
    with pytest.raises(SystemExit, match=message):
        main(["--configfile", str(mine)])


def test_advice_stands_on_a_line_of_its_own() -> None:
    finding = devices("auto")
    assert line(finding).count("\n") == 0


def command(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_weights_that_networks_start_from_are_looked_for(tmp_path: Path) -> None:
    there = tmp_path / "r18.pth"
    there.touch()
    values = {"data": {"detection": {"source": "embedded"}, "classification": {"source": "none"}}}
    assert not list(given_weights(load_config(values)))
    given = {
        **values,
        "base_detector": {"pretrained": {"checkpoint": str(there)}},
        "baselines": {"r18": {"zoo": "fpn_r18", "pretrained": {"checkpoint": "nowhere.pth"}}},
    }
    (finding,) = given_weights(load_config(given))
    assert finding.state == "fault"
    assert finding.found == "not there: baselines.r18.pretrained.checkpoint: nowhere.pth"
    del given["baselines"]
    (finding,) = given_weights(load_config(given))
    assert finding.state == "ok"
