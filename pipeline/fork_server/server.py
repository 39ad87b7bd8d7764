"""Import the libraries, and fork for every stage that asks: `python -m pipeline.fork_server.server SOCKET`.

It lives as long as its standard input is open, which the driver holds, and as long as a fork of it runs. It
serves only where Python has no other thread and no GPU's driver was started, which a fork would lack.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import NoReturn

from pipeline.fork_server.client import NUMBER

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
"""What stages use of the libraries."""

POLL_SECONDS = 0.02
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)

Job = tuple[list[str], dict[str, str]]
"""The arguments after `python`, and the environment."""


def import_libraries() -> None:
    """Import what stages use; forks share the memory of what is never written to."""
    gc.disable()
    for library in IMPORTED:
        importlib.import_module(library)
    gc.freeze()
    gc.enable()


def require_usable_gpus() -> None:
    """Exit where a fork could not use the GPUs that are there.

    mmengine and mmcv ask for GPUs when they are imported. By default torch asks the driver then, and no fork
    of a process that has done so can use it; `main` has it ask NVML.
    """
    import torch

    if not torch.cuda.is_available():
        return
    if (probe := os.fork()) == 0:
        os._exit(int(torch.cuda._is_in_bad_fork()))
    if os.waitstatus_to_exitcode(os.waitpid(probe, 0)[1]):
        sys.exit("a library has started the GPUs' driver, which a fork could not use")


def serve(address: Path, driver: int | None = None) -> Job | None:
    """Fork for each client, and tell it how its process ended.

    Args:
        address: of the socket, in a folder of its own.
        driver: a file that ends with the driver, after which there are no new clients; None: there is none.

    Returns:
        In each fork: the client's job, its folder and its streams taken over. In the server: None, when the
        driver is gone and all forks have ended.
    """
    listener = socket.socket(socket.AF_UNIX)
    # a socket has its name when it can be connected to
    starting = address.with_name("starting")
    listener.bind(str(starting))
    listener.listen()
    starting.rename(address)
    sockets = selectors.DefaultSelector()
    sockets.register(listener, selectors.EVENT_READ)
    if driver is not None:
        sockets.register(driver, selectors.EVENT_READ)
    clients: dict[int, socket.socket] = {}
    waited_for = True
    while waited_for or clients:
        for key, _ in sockets.select(POLL_SECONDS if clients else None):
            if key.fileobj is listener:
                client, _ = listener.accept()
                if (request := _request(client)) is None:
                    client.close()
                    continue
                content, streams = request
                try:
                    process = os.fork()
                except OSError as error:
                    # no memory, or too many processes: the client, left alone, runs the stage itself
                    print(f"cannot fork: {error.strerror}", file=sys.stderr, flush=True)
                    for stream in streams:
                        os.close(stream)
                    client.close()
                    continue
                if process == 0:
                    sockets.close()
                    for other in (listener, client, *clients.values()):
                        other.close()
                    return _taken_over(content, streams)
                for stream in streams:
                    os.close(stream)
                _answer(client, process)
                clients[process] = client
                sockets.register(client, selectors.EVENT_READ, process)
            elif driver is not None and key.fileobj == driver:
                sockets.unregister(driver)
                waited_for = False
            else:
                # a client says nothing once it has asked: it was killed, and takes its process with it
                sockets.unregister(key.fileobj)
                os.kill(key.data, signal.SIGKILL)
        while clients and (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            process, status = ended
            client = clients.pop(process)
            if any(key.fileobj is client for key in sockets.get_map().values()):
                sockets.unregister(client)
                _answer(client, os.waitstatus_to_exitcode(status))
            client.close()
    return None


def run(job: Job) -> NoReturn:
    """Run, in a fork, what `python` would with these arguments, and end as it would."""
    arguments, environment = job
    os.environ.clear()
    os.environ.update(environment)
    named = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = named if "PYTHONSAFEPATH" in environment else [str(Path.cwd()), *named]
    # the stage's own code is that of now and of its own checkout
    for name in [name for name in sys.modules if name.partition(".")[0] == "pipeline"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    sys.argv = ["-m", *arguments[1:]]
    code = 0
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        # without the second that Python takes to dismantle every module
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _request(client: socket.socket) -> tuple[bytes, list[int]] | None:
    """What a client sends, and its three streams; None: it ended while it sent."""
    streams, content = [], b""
    with contextlib.suppress(ConnectionError):
        head, streams, _, _ = socket.recv_fds(client, 8, 3, socket.MSG_WAITALL)
        size = int.from_bytes(head, "big")
        while head and len(content) < size and (part := client.recv(size - len(content))):
            content += part
        if head and len(content) == size:
            return content, [*streams]
    for stream in streams:
        os.close(stream)
    return None


def _answer(client: socket.socket, number: int) -> None:
    with contextlib.suppress(ConnectionError):  # it was killed
        client.sendall(f"{number:{NUMBER}}".encode())


def _taken_over(content: bytes, streams: list[int]) -> Job:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    for number in IGNORED:
        signal.signal(number, signal.SIG_DFL)
    arguments, cwd, environment = json.loads(content)
    os.chdir(cwd)
    return arguments, environment


def main() -> None:
    """Serve until the driver is gone."""
    address, server = Path(sys.argv[1]), os.getpid()
    # what a terminal or a scheduler sends to all is for the stages, which get it from their clients
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    try:
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
        import_libraries()
        require_usable_gpus()
        if threading.active_count() > 1:
            sys.exit("a library has started threads, which a fork would lack")
        job = serve(address, sys.stdin.fileno())
    except BaseException:
        if os.getpid() == server:  # a fork whose folder is gone ends alone
            shutil.rmtree(address.parent, ignore_errors=True)
        raise
    if job is not None:
        run(job)
    shutil.rmtree(address.parent, ignore_errors=True)


if __name__ == "__main__":
    main()
