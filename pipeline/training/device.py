"""The device a stage runs on."""

from __future__ import annotations

import os

import torch

from pipeline.errors import DetSearchError


def choose_device(wanted: str) -> torch.device:
    """The device a stage runs on: `auto` takes a GPU where one is visible.

    Of several processes of a stage, each takes the GPU with its number.

    Raises:
        DetSearchError: a GPU was asked for, and none is visible.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise DetSearchError("run.device is cuda, but no GPU is visible to this process")
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cpu":
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device
