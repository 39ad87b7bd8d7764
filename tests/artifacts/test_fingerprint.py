import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.fingerprint import ROOT, _parse, code_fingerprint, imported_modules
from pipeline.artifacts.no_result import Omission

TREE = {
    "__init__.py": "",
    "stages/__init__.py": "",
    "stages/search.py": '''"""Search."""
import os, torch
from pipeline.search import loop
from ..report.page import render

def run(x):
    """Run it."""
    from pipeline.lazy import late
    return loop.step(x) + 1
''',
    "stages/evaluate.py": "import pipeline.lazy\n",
    "search/__init__.py": "from . import shared as common\n",
    "search/loop.py": "def step(x: int) -> int:\n    return x * 2\n",
    "search/shared.py": "K = ('a', 1)\n",
    "search/unused.py": "U = 1\n",
    "lazy/__init__.py": "from pipeline.lazy.deep import late\n",
    "lazy/deep.py": "def late():\n    return dict(imports=['pipeline.registered'])\n",
    "registered.py": "R = 1\n",
    "report/__init__.py": "",
    "report/page.py": "FINGERPRINT_FILES = ('page.html.j2',)\ndef render(): ...\n",
    "report/page.html.j2": "<p>",
    "star/__init__.py": "__all__ = ['inner']\n",
    "star/inner.py": "I = 1\n",
    "star_user.py": "from pipeline.star import *\n",
}
SEARCH = "pipeline.stages.search"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in TREE.items():
        path = tmp_path / "pipeline" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_imports_are_followed_wherever_they_stand(root: Path) -> None:
    names = [
        *("pipeline", "pipeline.lazy", "pipeline.lazy.deep", "pipeline.registered"),
        *("pipeline.report", "pipeline.report.page", "pipeline.search", "pipeline.search.loop"),
        *("pipeline.search.shared", "pipeline.stages", "pipeline.stages.search"),
    ]
    found = imported_modules(SEARCH, root)
    assert list(found) == names
    assert found["pipeline.search"] == root / "pipeline/search/__init__.py"
    star = imported_modules("pipeline.star_user", root)
    assert list(star) == ["pipeline", "pipeline.star", "pipeline.star.inner", "pipeline.star_user"]


def test_what_is_left_out_is_not_followed(root: Path) -> None:
    def found(stage: str, **left_out: Omission) -> set[str]:
        entries = {f"pipeline.{name.replace('__', '.')}": entry for name, entry in left_out.items()}
        return set(imported_modules(f"pipeline.stages.{stage}", root, entries))

    everything = found("search")
    deep = {"pipeline.lazy.deep", "pipeline.registered"}
    assert everything - found("search", lazy__deep=Omission("")) == deep
    # the function that the stage takes from it is no way round
    assert everything - found("search", lazy=Omission("")) == deep | {"pipeline.lazy"}
    # what something else imports, too, stays
    (root / "pipeline/search/loop.py").write_text("import pipeline.registered")
    assert everything - found("search", lazy__deep=Omission("")) == {"pipeline.lazy.deep"}
    # but for one importer
    kept = Omission("", but_for=("pipeline.stages.evaluate",))
    assert everything - found("search", lazy=kept) == {"pipeline.lazy", "pipeline.lazy.deep"}
    assert deep | {"pipeline.lazy"} <= found("evaluate", lazy=kept)


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        ("stages/search.py", '"""Search."""', '# a comment\n\n\n"""Find."""', True),
        ("stages/search.py", '    """Run it."""\n', "", True),
        (
            "stages/search.py",
            "loop.step(x) + 1",
            "(loop.step(\n        x,\n    ) + 1)  # why",
            True,
        ),
        ("search/shared.py", "'a'", '"a"', True),
        ("search/shared.py", "K = ('a', 1)", "K = ('a', 1)\n'what K is'", True),
        ("search/unused.py", "1", "2", True),
        ("stages/evaluate.py", "import", "import sys,", True),
        ("stages/search.py", "+ 1", "+ 2", False),
        ("search/loop.py", "x * 2", "x / 2", False),
        ("search/loop.py", "x: int", "x: float", False),
        ("search/loop.py", "x * 2", "2 * x", False),
        ("search/shared.py", "1", "1.0", False),
        ("search/shared.py", "1", "True", False),
        ("search/__init__.py", "common", "other", False),
        ("lazy/deep.py", "dict", "list", False),
        ("registered.py", "1", "2", False),
        ("report/page.html.j2", "<p>", "<b>", False),
    ],
)
def test_only_code_that_the_stage_reaches_counts(
    root: Path, file: str, old: str, new: str, same: bool
) -> None:
    before = code_fingerprint(SEARCH, root)
    path = root / "pipeline" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert (code_fingerprint(SEARCH, root) == before) is same
    path.write_text(text)
    assert code_fingerprint(SEARCH, root) == before


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("search/loop.py", "def step(:\n", "search/loop.py, line 1: "),
        ("search/loop.py", "a = 'x'\0", "search/loop.py: source code"),
        ("report/page.py", "FINGERPRINT_FILES = ('gone.j2',)", "report/gone.j2 is missing"),
        ("report/page.py", "FINGERPRINT_FILES = 'a.j2'", "not a literal tuple of file names"),
    ],
)
def test_unusable_sources_are_named(root: Path, file: str, text: str, reason: str) -> None:
    (root / "pipeline" / file).write_text(text)
    with pytest.raises(ArtifactError) as caught:
        code_fingerprint(SEARCH, root)
    assert reason in str(caught.value)


def test_a_missing_module_is_named(root: Path) -> None:
    with pytest.raises(ArtifactError, match=r"there is no module pipeline\.stages\.gone under"):
        code_fingerprint("pipeline.stages.gone", root)


def test_the_project_itself_is_parsed_once_and_without_torch() -> None:
    code = (
        "import sys; from pipeline.artifacts.fingerprint import code_fingerprint; "
        "code_fingerprint('pipeline.artifacts.checkpoints'); "
        "print(sorted({'torch', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"
    stages = [path.stem for path in (ROOT / "pipeline/stages").glob("[!_]*.py")]
    modules = [f"pipeline.stages.{stage}" for stage in stages] or ["pipeline.artifacts.publish"]
    _parse.cache_clear()
    fingerprints = {code_fingerprint(module) for module in modules}
    assert len(fingerprints) == len(modules)
    # the Snakefile asks on every start, for every stage; most of the code is shared by most of them
    assert _parse.cache_info().misses <= len(list((ROOT / "pipeline").rglob("*.py")))
