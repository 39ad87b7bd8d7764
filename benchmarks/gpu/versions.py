"""Which machine, driver and libraries the numbers are of."""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import time
from importlib.metadata import version
from importlib.util import cache_from_source
from pathlib import Path

import torch

from benchmarks.gpu.bench import GIB, Bench

PACKAGES = ("torchvision", "numpy", "onedl-mmcv", "onedl-mmdetection", "snakemake")
IMPORTS = ("mmdet.models", "mmdet.datasets", "pycocotools", "hotcoco", "tensorboard", "snakemake")
"""What stages import, some of it late: a missing package is named here, not after minutes."""


def versions(bench: Bench) -> None:
    """Report what is installed, and try the imports."""
    rows = {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        "git commit": _commit(),
        "Python": platform.python_version(),
        "CPU cores": os.cpu_count(),
        "byte code of torch on disk": Path(cache_from_source(torch.__file__)).exists(),
        "torch": torch.__version__,
        "CUDA of torch": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }
    if bench.device.type == "cuda":
        properties = torch.cuda.get_device_properties(bench.device)
        rows |= {
            "GPU": properties.name,
            "GPU memory, GiB": round(properties.total_memory / GIB, 1),
            "compute capability": f"{properties.major}.{properties.minor}",
            "driver": _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        }
    rows |= {name: version(name) for name in PACKAGES}
    for name, value in rows.items():
        bench.row(what=name, value=value)
    for name in IMPORTS:
        began = time.monotonic()
        try:
            importlib.import_module(name)
        except ImportError as error:
            bench.wrong(f"{name} cannot be imported: {error}")
        else:
            bench.row(what=f"import {name}, s", value=round(time.monotonic() - began, 1))


def _commit() -> str:
    root = Path(__file__).parents[2]
    commit = _output("git", "-C", str(root), "rev-parse", "HEAD")
    changed = _output("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no")
    return commit + (" with changes" if changed not in ("", "none") else "")


def _output(*command: str) -> str:
    """What a program prints; `none` where it is not there or fails, as git does without a repository."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "none"
    return result.stdout.strip() if result.returncode == 0 else "none"
