"""A `python` for the jobs of test workflows that has the libraries imported already.

A tiny stage computes for a second, and imports torch and mmdet for up to nine. So one process imports them,
and forks for each job: its `python -m pipeline...` runs with the job's arguments, environment, folder,
standard streams and the `pipeline` of its own folder. All else is left to the real interpreter. The rules
look for `python` beside the interpreter that runs Snakemake; that of `warm_python` therefore lies in an
environment of its own, with the packages of this one, whose `python` asks that process to fork.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

IMPORTED = (
    "jinja2",
    "matplotlib.backends.backend_svg",
    "mmcv.ops",
    "mmdet.apis",
    "mmdet.datasets",
    "mmdet.evaluation",
    "mmdet.models",
    "pycocotools.cocoeval",
    "pydantic",
    "safetensors.torch",
    "skimage.data",
    "sklearn.datasets",
    "torch.utils.tensorboard",
    "torchvision.ops",
)
SOCKET = "socket"
CLIENT = """\
#!{interpreter} -IS
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
job = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(job).to_bytes(8, "big")], [0, 1, 2])
server.sendall(job)
process = int(server.recv(20, socket.MSG_WAITALL))
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    signal.signal(number, lambda number, frame: os.kill(process, number))
code = int(server.recv(20, socket.MSG_WAITALL) or 1)
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


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
    client.write_text(CLIENT.format(interpreter=real, address=str(root / SOCKET)))
    client.chmod(0o755)
    log = root / "log"
    output = log.open("wb")
    process = subprocess.Popen(
        [sys.executable, __file__, str(root)],
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "20000"},
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


def serve(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Fork for each client, and tell it how its process ended.

    Returns in each fork: the arguments and the environment of the client's job.
    """
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "starting"))
    listener.listen()
    (folder / "starting").rename(folder / SOCKET)
    clients: dict[int, socket.socket] = {}
    sockets = selectors.DefaultSelector()
    sockets.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in sockets.select(0.02 if clients else None):
            if key.fileobj is not listener:
                # a client says nothing once it has asked: it was killed, and takes its process with it
                sockets.unregister(key.fileobj)
                os.kill(key.data, signal.SIGKILL)
                continue
            client, _ = listener.accept()
            head, streams, _, _ = socket.recv_fds(client, 8, 3)
            size = int.from_bytes(head, "big")
            request = b""
            while len(request) < size:
                request += client.recv(size - len(request))
            if (process := os.fork()) == 0:
                listener.close()
                for other in (client, *clients.values()):
                    other.close()
                for number, stream in enumerate(streams):
                    os.dup2(stream, number)
                    os.close(stream)
                arguments, cwd, environment = json.loads(request)
                os.chdir(cwd)
                return arguments, environment
            for stream in streams:
                os.close(stream)
            client.sendall(f"{process:20}".encode())
            clients[process] = client
            sockets.register(client, selectors.EVENT_READ, process)
        while clients and (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            process, status = ended
            client = clients.pop(process)
            if client in [key.fileobj for key in sockets.get_map().values()]:
                sockets.unregister(client)
                client.sendall(f"{os.waitstatus_to_exitcode(status):20}".encode())
            client.close()


def run(folder: Path, arguments: list[str], environment: dict[str, str]) -> None:
    """Run what `python ARGUMENTS` would, in this fork."""
    os.environ.clear()
    os.environ.update(environment)
    if arguments[:1] != ["-m"] or not arguments[1].startswith("pipeline."):
        os.execv(sys.executable, [sys.executable, *arguments])
    sys.executable = str(folder / "bin" / "python")
    named = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = [str(Path.cwd()), *named]
    for name in [name for name in sys.modules if name.partition(".")[0] == "pipeline"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    sys.argv = ["-m", *arguments[2:]]
    code = 0
    try:
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        # without the second that Python takes to dismantle every module
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    gc.disable()
    for library in IMPORTED:
        importlib.import_module(library)
    gc.freeze()  # the forks share what is never written to
    gc.enable()
    run(Path(sys.argv[1]), *serve(Path(sys.argv[1])))
