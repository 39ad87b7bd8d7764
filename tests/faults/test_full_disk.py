"""A full disk at any moment of a stage: a sentence, the state before intact, and the next run goes on.

A limit on the size of files stands for the full disk, in a process of its own: the system refuses to write.
"""

import os
import resource
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch
import torch._inductor.config  # what a stage imports late, once for all forks

from pipeline.artifacts.__main__ import main as artifacts
from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.jobs import Job, write_jobs
from pipeline.artifacts.lock import LOCK, Holder
from pipeline.artifacts.manifest import MANIFEST, Manifest, verify
from pipeline.artifacts.publish import Content
from pipeline.config.base import NoSettings
from pipeline.runner.stage import Stage, stage_main
from pipeline.status import main as status
from pipeline.training.loop import Record, run_loop

pytestmark = pytest.mark.slow

NOBODY = 65534
FULL = "File too large"  # what the system says at the limit, in place of "No space left on device"


class Adding:
    """A training whose state is a sum: each step adds its number."""

    iterations = 4
    epoch_length = 4

    def __init__(self, before_step: Callable[[int], None]) -> None:
        self.sum = torch.zeros(1000)
        self.before_step = before_step

    def start(self, iteration: int) -> None:
        """Nothing to open."""

    def fetch(self, iteration: int) -> int:
        return iteration

    def step(self, iteration: int, data: int) -> Record:
        self.before_step(iteration)
        self.sum += data
        return {"loss": float(self.sum[0])}

    def end_epoch(self, epoch: int) -> Record:
        return {}

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"sum": self.sum}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        self.sum = state["sum"]


def fill(size: int = 50) -> None:
    """No file of this process can become longer from now on."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def train(moment: str | None) -> Callable[[Stage[NoSettings]], Mapping[str, Content]]:
    """A stage whose disk is full from some moment on."""

    def run(stage: Stage[NoSettings]) -> Mapping[str, Content]:
        def before_step(iteration: int) -> None:
            if moment == "checkpoint" and iteration == 2:
                fill()

        task = Adding(before_step)
        history = run_loop(
            task,
            stage.work,
            seed=stage.seed,
            title="train",
            log_interval=1,
            checkpoint_seconds=0,
        )

        def drawing(path: Path) -> None:
            if moment == "report":
                fill()
            path.write_bytes(bytes(200))

        if moment == "a file of its own":
            fill()
        (stage.fresh_folder("images") / "a.png").write_bytes(bytes(100))
        if moment == "publication":
            fill()
        if moment == "history":
            # its lines of former versions are longer than all else that is published
            fill((stage.folder / "history.jsonl").stat().st_size + 100)
        return {
            "sum.bin": task.sum[:20].numpy().tobytes(),
            "history.json": json_bytes(history),
            "images": stage.work.path / "images",
            "page.svg": drawing,
        }

    return run


def in_child(work: Callable[[], object], user: int | None = None) -> tuple[int, str]:
    """Run something in a fork, which may be limited for good; its exit code, and what it printed."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        code = 70
        try:
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            if user is not None and os.geteuid() == 0:
                os.setresuid(user, user, user)
            # pytest's own stand for these two, and write to files
            with open(1, "w", closefd=False) as out, open(2, "w", closefd=False) as err:
                sys.stdout, sys.stderr = out, err
                work()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0) if not isinstance(end.code, str) else 1
            os.write(1, end.code.encode() if isinstance(end.code, str) else b"")
        except BaseException:
            os.write(1, traceback.format_exc().encode())
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        printed = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), printed


def stage(out: Path, moment: str | None = None, *, seed: int = 1) -> Callable[[], None]:
    argv = ["--settings", "{}", "--threads", "1", "--seed", str(seed), "--checkpoint-seconds", "0"]
    argv += ["--manifest", str(out / MANIFEST), "--run-folder", str(out.parent)]
    return lambda: stage_main(train(moment), NoSettings, argv=argv)


def content(out: Path) -> dict[str, bytes]:
    """All that is published in a folder, and what tells of it."""
    names = [*Manifest.load(out / MANIFEST).files, MANIFEST, "history.jsonl"]
    return {name: (out / name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two former versions, and beside it what a third one publishes where nothing is in its way."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for seed in (2, 3):
        assert in_child(stage(folder / "run" / "trained", seed=seed))[0] == 0
    assert in_child(stage(folder / "other" / "trained"))[0] == 0
    return folder


@pytest.mark.parametrize(
    "moment", ["checkpoint", "a file of its own", "publication", "report", "history"]
)
def test_a_full_disk_is_a_sentence_and_the_next_run_goes_on(
    moment: str, undisturbed: Path, tmp_path: Path
) -> None:
    shutil.copytree(undisturbed / "run", tmp_path / "run")
    out, other = tmp_path / "run" / "trained", undisturbed / "other" / "trained"
    before = content(out)
    code, printed = in_child(stage(out, moment))
    assert (code, "Traceback" in printed) == (1, False), printed
    assert FULL in printed.splitlines()[-1] and str(out) in printed.splitlines()[-1]
    assert verify(out) == [] and content(out) == before
    assert not (out / LOCK).exists()

    code, printed = in_child(stage(out))
    assert code == 0, printed
    assert f"resuming at iteration {2 if moment == 'checkpoint' else 4} of 4" in printed
    assert verify(out) == []
    assert Manifest.load(out / MANIFEST).files == Manifest.load(other / MANIFEST).files


@pytest.fixture
def readonly() -> Iterator[Path]:
    """A run that this user, or where that is root another one, can read and not write."""
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        assert in_child(stage(run / "trained"))[0] == 0
        write_jobs(run, [Job("trained", "logs/trained.log", "trained/manifest.json")])
        folders = [path for path in run.rglob("*") if path.is_dir()]
        for path in (Path(name), *folders, run):
            path.chmod(0o555)
        yield run
        for path in (Path(name), run, *folders):
            path.chmod(0o755)


def test_a_run_that_cannot_be_written_can_be_read_and_the_rest_is_a_sentence(
    readonly: Path,
) -> None:
    for command in ("verify", "history", "digests", "lineage"):
        folder = readonly / "trained" if command == "lineage" else readonly
        words = [command, str(folder)]
        code, printed = in_child(lambda words=words: exit(artifacts(words)), NOBODY)
        assert (code, "Traceback" in printed) == (0, False), printed
    for seed in (1, 2):
        code, printed = in_child(stage(readonly / "trained", seed=seed), NOBODY)
        assert (code, "Traceback" in printed) == (1, False), printed
        assert f"cannot write {readonly}/trained/" in printed and "Permission denied" in printed

    # a lock of another machine: its age is told by this machine's clock, where none can be asked
    held = Holder.this_process().model_copy(update={"host": "elsewhere"})
    (readonly / "trained").chmod(0o755)
    (readonly / "trained" / LOCK).write_text(held.model_dump_json())
    (readonly / "trained").chmod(0o555)
    code, printed = in_child(lambda: status([str(readonly)]), NOBODY)
    assert code == 0 and printed.startswith("running  trained"), printed

    (readonly / "trained").chmod(0)
    for look in (
        lambda: exit(artifacts(["verify", str(readonly)])),
        lambda: status([str(readonly)]),
    ):
        code, printed = in_child(look, NOBODY)
        assert (code, "Traceback" in printed) == (1, False), printed
        assert f"{readonly}/trained" in printed and "(Permission denied)" in printed
