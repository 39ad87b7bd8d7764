"""Checks of the machine and its software: packages, devices, mmcv's ops, SLURM, disk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from pipeline.checkout import HERE, REMEDY, other_code
from pipeline.console import counted
from pipeline.doctor.finding import Finding

LOCK = Path(__file__).parents[2] / "envs" / "requirements.lock"
OLDER_DRIVERS = LOCK.with_name("requirements.cuda12.lock")
"""The same packages with a torch for CUDA 12."""
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)==(?P<version>[^\s;]+)(?P<marker>\s*;.*)?$")
SLURM_COMMANDS = ("sbatch", "squeue", "scancel", "srun", "sinfo")
SLURM_SECONDS = 30
GIB = 2**30
# Data, weights and two checkpoints of the embedded run take 0.2 GiB, of a run at the papers' scale
# some tens: below the first number nothing will do, below the second a long run is at risk.
LEAST_GIB, AMPLE_GIB = 1, 50
ARCH = re.compile(r"(sm|compute)_(\d+)(\d)[a-z]?")
DRIVER = Path("/proc/driver/nvidia/version")
LEAST_DRIVER = {12: 525, 13: 580}
"""By CUDA's major version, the first driver for which all of its minor ones run."""


def code(folder: Path, environment: Mapping[str, str]) -> Finding:
    """Whose code a program runs that is started in `folder`, as this one was."""
    other = other_code(folder, environment)
    return Finding("code", "fault", other, REMEDY) if other else Finding("code", "ok", f"{HERE}")


def pins(lock: Path) -> list[re.Match[str]]:
    """The packages of a lock: each with its `name`, `version` and, for some platforms only, `marker`."""
    return [found for line in lock.read_text().splitlines() if (found := PINNED.match(line))]


def installed_lock() -> Path:
    """The lock that the installed torch is of; the usual one where it is of none."""
    there = version("torch").partition("+")[0]
    of_older = {pin["name"]: pin["version"] for pin in pins(OLDER_DRIVERS)}
    return OLDER_DRIVERS if there == of_older["torch"] else LOCK


def packages(lock: Path | None = None) -> Finding:
    """Compare what is installed with the lock; packages for other platforms are passed over."""
    lock = lock or installed_lock()
    pinned = pins(lock)
    wrong = []
    for pin in pinned:
        try:
            installed = version(pin["name"])
        except PackageNotFoundError:
            if not pin["marker"]:
                wrong.append(f"{pin['name']} is missing (locked: {pin['version']})")
            continue
        if installed.partition("+")[0] != pin["version"].partition("+")[0]:
            wrong.append(f"{pin['name']} is {installed} (locked: {pin['version']})")
    if not wrong:
        return Finding("packages", "ok", f"all {len(pinned)} of {lock.name}, as locked")
    state = "fault" if any("is missing" in line for line in wrong) else "note"
    advice = f"install the lock: pip install --no-deps -r {lock.parent.name}/{lock.name}"
    return Finding("packages", state, "; ".join(wrong), advice)


def devices(wanted: str) -> Finding:
    """The devices that torch sees, against `run.device`."""
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_properties(k) for k in range(torch.cuda.device_count())]
        shown = ", ".join(f"{each.name} ({each.total_memory / GIB:.0f} GiB)" for each in names)
        if wanted == "cpu":
            return Finding("devices", "note", f"{shown}; run.device is cpu", "set run.device: auto")
        return Finding("devices", "ok", shown)
    if wanted == "cuda":
        built = torch.version.cuda or "none"
        return Finding(
            "devices",
            "fault",
            f"run.device is cuda, but torch sees no GPU here (torch's CUDA: {built})",
            "on a login node this is as it should be: run the doctor in a job (srun --gpus 1 …); on "
            "a GPU node look at nvidia-smi and CUDA_VISIBLE_DEVICES",
        )
    return Finding(
        "devices", "ok", f"no GPU; the CPU with {counted(torch.get_num_threads(), 'thread')}"
    )


def generations(
    gpus: Sequence[tuple[str, tuple[int, int]]], built_for: Sequence[str], wanted: str
) -> Finding:
    """The GPUs' generations, against those that the installed torch holds code for.

    Code for a generation (`sm_80`) runs on those of the same major number from it on, code that is still to
    be compiled (`compute_90`) on all from it on.

    Args:
        gpus: name and compute capability of each that torch sees.
        built_for: as `torch.cuda.get_arch_list` gives it.
        wanted: `run.device`.
    """
    if not gpus:
        return Finding("GPU generation", "ok", "no GPU to look at")
    archs = [ARCH.fullmatch(each) for each in built_for]
    codes = [(each[1], (int(each[2]), int(each[3]))) for each in archs if each]

    def runs(capability: tuple[int, int]) -> bool:
        return any(
            code <= capability and (kind == "compute" or code[0] == capability[0])
            for kind, code in codes
        )

    shown = ", ".join(f"{name} ({major}.{minor})" for name, (major, minor) in gpus)
    strangers = [(name, found) for name, found in gpus if not runs(found)]
    if not strangers:
        return Finding("GPU generation", "ok", f"{shown}: torch holds code for it")
    told = ", ".join(f"{name} (compute capability {a}.{b})" for name, (a, b) in strangers)
    oldest = min((code for _, code in codes), default=(0, 0))
    older = codes and all(found < oldest for _, found in strangers)
    advice = "install a torch that holds code for it, take another GPU, or set run.device: cpu"
    if older:
        advice = f"it is older than {oldest[0]}.{oldest[1]}: {advice}"
    return Finding(
        "GPU generation",
        "note" if wanted == "cpu" else "fault",
        f"the installed torch holds no code for {told}, only for {', '.join(built_for) or 'no GPU'}",
        advice,
    )


def visible_gpus() -> list[tuple[str, tuple[int, int]]]:
    """Name and compute capability of the GPUs that torch sees."""
    import torch

    return [
        (torch.cuda.get_device_name(number), torch.cuda.get_device_capability(number))
        for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    ]


def driver(cuda: str | None, wanted: str, loaded: Path = DRIVER) -> Finding:
    """NVIDIA's driver, against the one that torch's CUDA needs.

    Args:
        cuda: version of the CUDA that torch was built with; `None` where it has none.
        wanted: `run.device`.
        loaded: file in which the driver's kernel module tells its version.
    """
    if cuda is None:
        return Finding("driver", "ok", "torch has no CUDA, and needs none")
    needed = LEAST_DRIVER[int(cuda.partition(".")[0])]
    found = (
        re.search(r"Kernel Module[^0-9]*(\d+)[.\d]*", loaded.read_text())
        if loaded.exists()
        else None
    )
    told = f"torch's CUDA {cuda} needs NVIDIA's driver {needed} or newer"
    if found is None:
        state = "fault" if wanted == "cuda" else "ok"
        advice = "run the doctor on a node with GPUs" if wanted == "cuda" else ""
        return Finding("driver", state, f"{told}; none is loaded here", advice)
    told = f"{told}; {found[0].split()[-1]} is loaded"
    if int(found[1]) >= needed:
        return Finding("driver", "ok", told)
    advice = "update the driver"
    if int(found[1]) >= LEAST_DRIVER[12]:
        advice += (
            f", or install {OLDER_DRIVERS.parent.name}/{OLDER_DRIVERS.name}, with a torch built for CUDA 12, "
            f"which needs {LEAST_DRIVER[12]}"
        )
    return Finding("driver", "fault" if wanted != "cpu" else "note", told, advice)


def compiled_ops() -> Finding:
    """Whose kernels stand behind `mmcv._ext`, tried by one suppression of two equal boxes."""
    import torch
    from mmcv.ops import nms

    boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 8.0, 8.0]])
    kept = nms(boxes, torch.tensor([0.5, 0.9]), iou_threshold=0.5)[1].tolist()
    if kept != [1]:
        return Finding(
            "mmcv ops",
            "fault",
            f"nms keeps {kept} of two equal boxes, not the better one",
            "reinstall mmcv for this torch, or the lock's pure-Python one",
        )
    spec = find_spec("mmcv._ext")
    return Finding("mmcv ops", "ok", f"nms works; kernels: {spec.origin if spec else 'unknown'}")


def slurm(environment: Mapping[str, str]) -> Iterator[Finding]:
    """SLURM's commands, and whether its controller answers."""
    missing = [
        name
        for name in SLURM_COMMANDS
        if not shutil.which(name, path=environment.get("PATH", os.defpath))
    ]
    if len(missing) == len(SLURM_COMMANDS):
        yield Finding(
            "SLURM",
            "note",
            "none of its commands is here",
            "without SLURM, leave out --profile slurm",
        )
        return
    if missing:
        yield Finding(
            "SLURM",
            "note",  # of no account where the run is local
            f"{', '.join(missing)} not found",
            "without --profile slurm nothing needs them; with it, load the cluster's SLURM module, or add "
            "its folder to PATH",
        )
        return
    try:
        answer = subprocess.run(
            ["sinfo", "--noheader", "--format=%P %D nodes %G"],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=SLURM_SECONDS,
        )
        told = answer.stderr.strip() or "sinfo failed" if answer.returncode else None
    except subprocess.TimeoutExpired:
        answer, told = None, f"sinfo gave no answer in {SLURM_SECONDS} seconds"
    if answer is None or told:
        # a machine may have the programs and belong to no cluster
        advice = "without a cluster, leave out --profile slurm; with one, is slurmctld reachable?"
        yield Finding("SLURM", "note", f"its programs are here, and no cluster: {told}", advice)
    else:
        yield Finding("SLURM", "ok", "; ".join(answer.stdout.split("\n")).strip("; "))


def disk(folder: Path) -> Finding:
    """Free space where the results go."""
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free / GIB
    found = f"{free:.1f} GiB free for {folder}"
    if free < LEAST_GIB:
        return Finding("disk", "fault", found, "free some space, or run on another disk")
    if free < AMPLE_GIB:
        return Finding("disk", "note", found, f"a run at the papers' scale wants {AMPLE_GIB} GiB")
    return Finding("disk", "ok", found)
