"""What every test needs: importing `pipeline` first lets test modules import mmcv and mmdet.

And a finished run of the whole workflow, shared by the tests that need one.
"""

import fcntl
import shutil
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings
from workflow_project import ROOT, Project, copy_project

import pipeline

if pipeline.__path__[0] != str(ROOT / "pipeline"):
    pytest.exit(
        f"these tests would try the code in {pipeline.__path__[0]}: set PYTHONPATH={ROOT}", 2
    )

# `nohup make test` ignores it, and whatever is started would, too: a signal that is ignored stays so.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# The same examples in every run: a failure can be seen again, and a change is judged by what it changed.
# No deadline: a slow machine is no failure.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
# `pytest --hypothesis-profile long`: other examples in every run, and more of them
settings.register_profile("long", derandomize=False, max_examples=500, deadline=None)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Project:
    """A finished run; tests that edit files take `project` instead.

    The first process of pytest that needs one makes it, the others copy it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    made = shared / "finished"
    with (shared / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "ended").exists():
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            result = copy_project(made).snakemake()
            assert result.returncode == 0, result.stdout[-6000:]
            (made / "ended").touch()
    folder = base / "project"
    shutil.copytree(made, folder, symlinks=True)
    return Project(folder)


@pytest.fixture
def project(finished: Project) -> Iterator[Project]:
    """The finished run, whose sources are put back as they were after the test."""
    yield finished
    for part in ("config", "pipeline", "rules"):
        for path in (ROOT / part).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                shutil.copy(path, finished.folder / path.relative_to(ROOT))
