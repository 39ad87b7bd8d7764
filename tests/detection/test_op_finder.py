"""The finder that puts torchvision's kernels behind `mmcv._ext`, and its `.pth` file, in fresh processes."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from pipeline.detection.op_finder.site_hook import REPOSITORY, write_pth


def _python(code: str, cwd: Path, *flags: str) -> str:
    """Standard output of `code` in a fresh interpreter that knows nothing of the repository."""
    done = subprocess.run(
        [sys.executable, "-I", *flags, "-c", code], cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_compiled_extension_wins(tmp_path: Path) -> None:
    (tmp_path / "mmcv").mkdir()
    (tmp_path / "mmcv/__init__.py").touch()
    (tmp_path / "mmcv/_ext.py").write_text("compiled = True")
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(REPOSITORY)!r}]\n"
        "import pipeline, mmcv._ext\n"
        "print(mmcv._ext.compiled, 'torch' in sys.modules)"
    )
    assert _python(code, tmp_path) == "True False\n"


def test_pth_makes_mmcv_usable_without_importing_pipeline(tmp_path: Path) -> None:
    write_pth(tmp_path)
    code = (
        # what the environment's own .pth file did, perhaps of another checkout, is undone
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "[sys.modules.pop(name) for name in list(sys.modules) if name.split('.')[0] == 'pipeline']\n"
        "known = [f for f in sys.meta_path if getattr(f, '__qualname__', '')[:11] == 'Torchvision']\n"
        "[sys.meta_path.remove(finder) for finder in known]\n"
        f"import site; site.addsitedir({str(tmp_path)!r}); site.addsitedir({str(tmp_path)!r})\n"
        "from pipeline.detection import op_finder; op_finder.install()\n"
        "names = [getattr(finder, '__qualname__', '') for finder in sys.meta_path]\n"
        "print(names.count('TorchvisionOpsFinder'), 'torch' in sys.modules)\n"
        "from mmengine.utils.dl_utils import mmcv_full_available\n"
        "from mmcv.utils.ext_loader import check_ops_exist\n"
        "from mmcv.ops import get_compiler_version, nms\n"
        "print(mmcv_full_available(), check_ops_exist(), get_compiler_version())\n"
        "import numpy as np; one = np.float32([[0, 0, 1, 1]])\n"
        "print('torchvision' in sys.modules, nms(one, one[0, 2:3], 0.5)[1])"
    )
    version = f"none: torchvision {metadata.version('torchvision')} provides the ops"
    assert _python(code, tmp_path) == f"1 False\nTrue True {version}\nFalse [0]\n"


def test_pth_leaves_a_program_the_code_of_its_own_checkout(tmp_path: Path) -> None:
    """The environment's `.pth` was written by one checkout; a program is started in another."""
    for name in ("one", "other"):
        (tmp_path / name / "pipeline").mkdir(parents=True)
        (tmp_path / name / "pipeline/__init__.py").write_text(f"WHOSE = {name!r}")
        program = "import pipeline; print(pipeline.WHOSE)"
        (tmp_path / name / "pipeline/program.py").write_text(program)
    write_pth(tmp_path, tmp_path / "one")
    start = f"import site, runpy, sys; site.addsitedir({str(tmp_path)!r})\n"
    run = "runpy.run_module('pipeline.program', run_name='__main__')"
    assert _python(start + run, tmp_path, "-S") == "one\n"
    inside = f"sys.path.insert(0, {str(tmp_path / 'other')!r})\n"
    assert _python(start + inside + run, tmp_path, "-S") == "other\n"


def test_pth_of_a_moved_repository_is_silent(tmp_path: Path) -> None:
    repository, site_packages = tmp_path / "it's here", tmp_path / "site-packages"
    (repository / "pipeline").mkdir(parents=True)
    site_packages.mkdir()
    with pytest.raises(FileNotFoundError, match=r"it's here: holds no pipeline/__init__\.py"):
        write_pth(site_packages, repository)
    (repository / "pipeline/__init__.py").write_text("print('imported')")
    pth = write_pth(site_packages, repository)
    assert pth == site_packages / "detsearch.pth"
    code = f"import site; site.addsitedir({str(site_packages)!r})"
    assert _python(code, tmp_path, "-S") == "imported\n"
    repository.rename(tmp_path / "moved")
    assert _python(code, tmp_path, "-S") == ""
