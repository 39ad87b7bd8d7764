"""Whose code runs: an environment that several checkouts share can import another one's `pipeline`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
"""The folder whose `pipeline` this is."""

REMEDY = (
    "write the environment's detsearch.pth anew, from the folder whose environment it is: "
    "python -m pipeline.detection.op_finder --write-pth; or set PYTHONPATH to the folder of the code"
)


def other_code(folder: Path, environment: Mapping[str, str], running: Path = HERE) -> str | None:
    """A sentence where a program was started in one checkout and runs another one's code; else None.

    Args:
        folder: the working directory.
        environment: where PYTHONPATH names `running`, that code was asked for.
        running: the folder whose code runs.
    """
    asked = environment.get("PYTHONPATH", "").split(os.pathsep)
    if not (folder / "pipeline" / "__init__.py").exists() or folder.resolve() == running:
        return None
    if any(path and Path(path).resolve() == running for path in asked):
        return None
    return f"the code that runs is that of {running}, not of the working directory, {folder}"
