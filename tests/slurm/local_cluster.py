"""A real SLURM of several virtual nodes on this machine: no systemd, no cgroups, no accounting, fake GPUs.

Each node is a slurmd of its own with a port of its own. Its GPUs are links to /dev/null: SLURM grants them
to jobs, one job each, and names them in CUDA_VISIBLE_DEVICES; nothing can compute on them. Nodes may claim
more than the machine has.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

DAEMONS = ("munged", "slurmctld", "slurmd")
COMMANDS = ("sbatch", "squeue", "scancel", "srun", "sinfo", "scontrol")
# where Debian has the daemons; not on every user's PATH
SYSTEM = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
PR_SET_PDEATHSIG = 1
KILL_SECONDS = 20
"""Between a job's SIGTERM and its SIGKILL."""

CONFIG = """
ClusterName=local
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={root}/controller
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/%n.log
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
GresTypes=gpu
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
MinJobAge=86400
SlurmdTimeout=10
KillWait={kill}
MessageTimeout=10
OverTimeLimit=0
{nodes}
PartitionName=gpu Nodes={names} Default=YES MaxTime=1-0 DefaultTime=10 State=UP
"""


def missing_programs() -> list[str]:
    """SLURM's programs that are not installed here."""
    return [name for name in (*DAEMONS, *COMMANDS) if not shutil.which(name, path=SYSTEM)]


@dataclass(frozen=True)
class SlurmJob:
    """What the controller says of a job."""

    id: str
    state: str
    node: str
    gpus: int
    cpus: int
    seconds: int
    """Its time limit."""


class LocalCluster:
    """The cluster; use it in a `with` statement, which starts it and stops it.

    Args:
        nodes: number of nodes, `node1` …
        gpus: of each node.
        cpus: of each node.
        memory: of each node, MB.
    """

    def __init__(self, nodes: int = 3, gpus: int = 2, cpus: int = 4, memory: int = 24000) -> None:
        self.nodes = [f"node{number}" for number in range(1, nodes + 1)]
        # short: a socket's path may have 107 characters
        self.root = Path(tempfile.mkdtemp(prefix="slurm_"))
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        for folder in ("munge", "controller", "spool", "log", "bin", "gpus"):
            (self.root / folder).mkdir()
        self.root.chmod(0o711)
        (self.root / "munge").chmod(0o711)
        key = self.root / "munge" / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        for number in range(gpus):
            (self.root / "gpus" / f"gpu{number}").symlink_to("/dev/null")
        user = psutil.Process().username()
        ports = _free_ports(nodes + 1)
        lines = [
            f"NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port}"
            f" CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus} State=UNKNOWN"
            for name, port in zip(self.nodes, ports[1:], strict=True)
        ]
        self.config = self.root / "slurm.conf"
        self.config.write_text(
            CONFIG.format(
                host=socket.gethostname().partition(".")[0],
                port=ports[0],
                user=user,
                root=self.root,
                kill=KILL_SECONDS,
                nodes="\n".join(lines),
                names=",".join(self.nodes),
            )
        )
        (self.root / "gres.conf").write_text(
            f"AutoDetect=off\nNodeName={','.join(self.nodes)} Name=gpu Count={gpus}"
            f" File={self.root}/gpus/gpu[0-{gpus - 1}]\n"
        )
        (self.root / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")  # read, but not used
        # the executor plugin drops every SLURM_* variable, SLURM_CONF too, before its srun in a job
        for command in COMMANDS:
            wrapper = self.root / "bin" / command
            program = shutil.which(command, path=SYSTEM)
            wrapper.write_text(f'#!/bin/sh\nexport SLURM_CONF={self.config}\nexec {program} "$@"\n')
            wrapper.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """This process's, in which SLURM's commands find the cluster."""
        path = f"{self.root / 'bin'}{os.pathsep}{SYSTEM}"
        return {**os.environ, "PATH": path, "SLURM_CONF": str(self.config)}

    def __enter__(self) -> LocalCluster:
        try:
            munge = self.root / "munge"
            self._start(
                "munged",
                *("--foreground", f"--key-file={munge}/key", f"--socket={munge}/socket"),
                *(f"--pid-file={munge}/pid", f"--seed-file={munge}/seed", "--num-threads=2"),
                f"--log-file={self.root}/log/munged.log",
            )
            _wait("munged", lambda: (munge / "socket").exists())
            self.start_controller()
            for node in self.nodes:
                self.start_node(node)
            _wait("the nodes", lambda: self.available() == self.nodes)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if "slurmctld" in self._daemons:
            with suppress(subprocess.SubprocessError):
                self.command("scancel", "--me")
                _wait("the jobs' end", lambda: not self.command("squeue", "-h"), KILL_SECONDS + 20)
        for node in self.nodes:
            for process in self._steps(node):
                _kill_tree(process)
        for name in reversed([*self._daemons]):
            self._stop(name)
        shutil.rmtree(self.root)

    def command(self, *words: str) -> str:
        """Run one of SLURM's commands; returns what it printed."""
        result = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, check=True, timeout=60
        )
        return result.stdout.strip()

    def available(self) -> list[str]:
        """The nodes that take jobs, or work at some."""
        lines = self.command("sinfo", "-hN", "-o", "%N %T").splitlines()
        states = dict(line.split() for line in lines)
        return [node for node in self.nodes if states[node] in ("idle", "mixed", "allocated")]

    def jobs(self) -> dict[str, SlurmJob]:
        """All jobs since the cluster was started, by number."""
        found = {}
        for line in self.command("scontrol", "--oneliner", "show", "job").splitlines():
            words = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if "JobId" not in words:
                continue
            limit = words["TimeLimit"]
            found[words["JobId"]] = SlurmJob(
                id=words["JobId"],
                state=words["JobState"],
                node=words.get("NodeList", ""),
                gpus=int(words.get("TresPerJob", "gres:gpu:0").rpartition(":")[2]),
                cpus=int(words["NumCPUs"].partition("-")[0]),
                seconds=0 if limit == "UNLIMITED" else _seconds(limit),
            )
        return found

    def start_controller(self) -> None:
        """Start slurmctld, and wait until it answers."""
        self._start("slurmctld", "-D")
        _wait("slurmctld", lambda: "UP" in self.command("scontrol", "ping"))

    def restart_controller(self, pause: float = 2.0) -> None:
        """Stop slurmctld, and start it again some seconds later."""
        self._stop("slurmctld")
        time.sleep(pause)
        self.start_controller()

    def start_node(self, node: str) -> None:
        """Start a node's slurmd."""
        (self.root / "spool" / node).mkdir(exist_ok=True)
        self._start(node, "-D", "-N", node, program="slurmd")

    def kill_node(self, node: str) -> None:
        """As if a node's power went: its slurmd and all that it started is killed at once."""
        self._daemons.pop(node).kill()
        for process in self._steps(node):
            _kill_tree(process)

    def _start(self, name: str, *arguments: str, program: str | None = None) -> None:
        path = shutil.which(program or name, path=SYSTEM)
        assert path is not None
        with (self.root / "log" / f"{name}.out").open("ab") as output:
            self._daemons[name] = subprocess.Popen(
                [path, *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    def _stop(self, name: str) -> None:
        daemon = self._daemons.pop(name)
        daemon.send_signal(signal.SIGTERM)
        try:
            daemon.wait(timeout=20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _steps(self, node: str) -> Iterator[psutil.Process]:
        """The step daemons of a node: they hold its log open."""
        log = str(self.root / "log" / f"{node}.log")
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.name() == "slurmstepd" and log in _open_files(process):
                    yield process


def _end_with_parent() -> None:
    """Let this process get SIGTERM when its parent ends, in whatever way: no daemon outlives the tests."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _open_files(process: psutil.Process) -> set[str]:
    return {file.path for file in process.open_files()}


def _kill_tree(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        for each in [*process.children(recursive=True), process]:
            with suppress(psutil.NoSuchProcess):
                each.kill()


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _seconds(limit: str) -> int:
    """Seconds of SLURM's `[days-]hours:minutes:seconds`."""
    days, _, clock = limit.rpartition("-")
    hours, minutes, seconds = map(int, clock.split(":"))
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def _wait(what: str, ready: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(subprocess.CalledProcessError):
            if ready():
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"the local SLURM: waited {seconds:.0f} s for {what}")
        time.sleep(0.1)
