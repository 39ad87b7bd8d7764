"""A `python` for the jobs of test workflows that has the libraries imported already.

A tiny stage computes for a second, and imports torch and mmdet for up to nine. So one process imports them,
and forks for each job: its `python -m pipeline...` runs with the job's arguments, environment, folder,
standard streams and the `pipeline` of its own folder. So does a `python -m snakemake`, of which half is
imports: dry runs go this way. All else is left to the real interpreter. The rules
look for `python` beside the interpreter that runs Snakemake; that of `warm_python` therefore lies in an
environment of its own, with the packages of this one, whose `python` asks that process to fork.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from pipeline.driver.shell import THREADS
from pipeline.fork_server.server import import_libraries, run, serve

SOCKET = "socket"
FORKED = ("pipeline.", "snakemake")
CLIENT = """\
#!{interpreter} -IS
import os, sys
sys.path.insert(0, {checkout!r})
from pipeline.fork_server.client import end_as, run_in_fork
end_as(run_in_fork({address!r}, sys.argv[1:], os.environ))
"""
CHECKOUT = Path(__file__).parents[2]
DRIVER = ("snakemake.cli", "snakemake.workflow", "snakemake.dag")
"""What a dry run imports, besides `pydantic`."""


@functools.cache
def warm_python() -> str:
    """The interpreter to run Snakemake with; its server runs until this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="warm_python_")
    root = Path(folder.name)
    (root / "bin").mkdir()
    environment = Path(sys.prefix)
    (root / "lib").symlink_to(environment / "lib")
    real = Path(sys.executable).resolve()
    own = environment / "pyvenv.cfg"
    (root / "pyvenv.cfg").write_text(own.read_text() if own.exists() else f"home = {real.parent}\n")
    interpreter = root / "bin" / "python3"
    interpreter.symlink_to(real)
    client = root / "bin" / "python"
    client.write_text(
        CLIENT.format(interpreter=real, checkout=str(CHECKOUT), address=str(root / SOCKET))
    )
    client.chmod(0o755)
    log = root / "log"
    output = log.open("wb")
    process = subprocess.Popen(
        [sys.executable, __file__, str(root)],
        env={**os.environ, **THREADS, "PYTHONPATH": str(CHECKOUT)},
        stdout=output,
        stderr=subprocess.STDOUT,
    )

    def stop() -> None:
        process.kill()
        process.wait()
        output.close()
        folder.cleanup()

    atexit.register(stop)
    while not (root / SOCKET).exists():
        if process.poll() is not None:
            raise RuntimeError(log.read_text())
        time.sleep(0.05)
    return str(interpreter)


def run_as_python(folder: Path, arguments: list[str], environment: dict[str, str]) -> NoReturn:
    """Run what `python ARGUMENTS` would, in this fork."""
    if arguments[:1] != ["-m"] or not arguments[1].startswith(FORKED):
        os.execve(sys.executable, [sys.executable, *arguments], environment)
    sys.executable = str(folder / "bin" / "python")
    run((arguments[1:], environment))


if __name__ == "__main__":
    for module in DRIVER:
        importlib.import_module(module)
    import_libraries()
    shim = Path(sys.argv[1])
    job = serve(shim / SOCKET)
    assert job is not None
    run_as_python(shim, *job)
