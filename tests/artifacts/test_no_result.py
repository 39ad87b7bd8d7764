"""The fingerprints of the project's own stages reach what decides results, and no further."""

import ast
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.artifacts.__main__ import main
from pipeline.artifacts.fingerprint import ROOT, code_fingerprint, imported_modules
from pipeline.artifacts.no_result import DECIDES_NO_RESULT

STAGES = sorted(path.stem for path in (ROOT / "pipeline/stages").glob("[!_]*.py"))
DRAWINGS = ("drawings.hit_detector", "drawings.joint_detnas")
"""Modules that stage `draw` imports by name: their fingerprints are part of a drawing's."""
TRAINERS = {
    *("pretrain_screening_supernet", "pretrain_search_supernet", "pretrain_backbone"),
    *("screen", "screen_jointly", "search", "train_detector", "train_student", "shrink_pool"),
    *("train_one_shot", "search_paths"),
    *("evaluate_candidate", "refine_detector", "upgrade_detector"),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, whose files a test edits and puts back."""
    root = tmp_path_factory.mktemp("sources")
    shutil.copytree(
        ROOT / "pipeline", root / "pipeline", ignore=shutil.ignore_patterns("__pycache__")
    )
    return root


@pytest.fixture(scope="module")
def before(copy: Path) -> Mapping[str, str]:
    return fingerprints(copy)


def fingerprints(root: Path) -> dict[str, str]:
    modules = {stage: f"pipeline.stages.{stage}" for stage in STAGES}
    modules |= {name: f"pipeline.{name}" for name in DRAWINGS}
    return {name: code_fingerprint(module, root) for name, module in modules.items()}


def stale_after(copy: Path, before: Mapping[str, str], file: str, old: str, new: str) -> set[str]:
    """The stages, and modules of drawings, that an edit makes stale."""
    path = copy / "pipeline" / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    try:
        return {stage for stage, found in fingerprints(copy).items() if found != before[stage]}
    finally:
        path.write_text(text)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("environment.py", '"DETSEARCH_CPUS"', '"DETSEARCH_CORES"'),
        ("launch.py", "MARGIN_SECONDS = 180.0", "MARGIN_SECONDS = 240.0"),
        ("artifacts/lock.py", "BEAT_SECONDS = 5.0", "BEAT_SECONDS = 6.0"),
        ("artifacts/history.py", '"absent" if', '"nothing" if'),
        ("artifacts/spent.py", '"spent.json"', '"time.json"'),
        ("artifacts/publish.py", "stale files may stay", "old files may stay"),
        ("training/progress.py", "{value:.4g}", "{value:.5g}"),
        (
            "training/progress.py",
            "self.writer.add_scalar(name,",
            "self.writer.add_scalar(name[:9],",
        ),
        ("training/stopping.py", '"by signal" if', '"by a signal" if'),
        ("status.py", '"failed" in states', '"running" in states'),
        ("doctor/finding.py", "import annotations", "import annotations, division"),
    ],
)
def test_what_decides_no_result_makes_nothing_stale(
    copy: Path, before: Mapping[str, str], file: str, old: str, new: str
) -> None:
    assert stale_after(copy, before, file, old, new) == set()


def test_a_reader_of_the_report_makes_stale_what_draws_and_nothing_that_trains(
    copy: Path, before: Mapping[str, str]
) -> None:
    edit = ("report/inputs.py", 'record["iteration"], record[key]', 'record[key], record["epoch"]')
    stale = stale_after(copy, before, *edit)
    assert stale == {"report", "draw_front", *DRAWINGS}


def test_how_manifests_are_read_counts_where_their_content_is_shown(
    copy: Path, before: Mapping[str, str]
) -> None:
    edit = ("artifacts/manifest.py", "round(gpu_hours, 6)", "round(gpu_hours, 3)")
    stale = stale_after(copy, before, *edit)
    assert {"report", "remove_weights", *DRAWINGS} <= stale
    assert not stale & (TRAINERS | {"evaluate", "derive", "rank", "propose"})


@pytest.mark.parametrize(
    ("file", "old", "new", "stages"),
    [
        ("training/seeding.py", "digest[:8]", "digest[8:16]", TRAINERS),
        ("training/optimization.py", "math.pi *", "3.14 *", TRAINERS - {"search_paths"}),
        ("training/stream.py", '"order", epoch', '"batches", epoch', TRAINERS),
        ("training/loop.py", '"step", iteration)', '"step", iteration + 1)', TRAINERS),
        ("config/scaling.py", "import annotations", "import annotations, division", TRAINERS),
        (
            "search_space/operations.py",
            "import annotations",
            "import annotations, division",
            {*TRAINERS - {"shrink_pool"}, "evaluate"},
        ),
    ],
)
def test_what_decides_results_makes_stale_what_uses_it(
    copy: Path, before: Mapping[str, str], file: str, old: str, new: str, stages: set[str]
) -> None:
    assert stages <= stale_after(copy, before, file, old, new)


def test_every_entry_exists_says_why_and_is_used_by_those_it_names() -> None:
    for module, entry in DECIDES_NO_RESULT.items():
        assert entry.why.endswith(".")
        assert module in imported_modules(module)
        for importer in entry.but_for:
            assert module in imported_modules(importer)
            assert module in imported_modules(importer, left_out={})


@pytest.mark.parametrize("module", [*(f"stages.{stage}" for stage in STAGES), *DRAWINGS])
def test_a_stage_that_reads_manifests_for_its_result_has_their_code_in_its_fingerprint(
    module: str,
) -> None:
    covered = imported_modules(f"pipeline.{module}")
    readers = {
        name
        for name, path in covered.items()
        if name.startswith(("pipeline.stages.", "pipeline.drawings.", "pipeline.report."))
        and "Manifest" in _names_from(path, "pipeline.artifacts.manifest")
    }
    assert not readers or "pipeline.artifacts.manifest" in covered, readers


def _names_from(path: Path, module: str) -> set[str]:
    return {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


def test_the_files_of_a_stage_are_printed_with_those_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["code", "report"]) == 0
    covered, left_out = capsys.readouterr().out.split("Left out, since it decides no result:\n")
    lines = len((ROOT / "pipeline/report/page.html.j2").read_bytes().splitlines())
    assert f"{lines:5}  pipeline/report/page.html.j2\n" in covered
    *files, total = covered.splitlines()
    counts = [int(line.split()[0]) for line in files]
    assert total.split()[:5] == [str(sum(counts)), "lines", "in", str(len(files)), "files"]
    assert "pipeline/artifacts/lock.py: It keeps a second process" in left_out
    assert "pipeline/artifacts/manifest.py" in covered
    assert main(["code", "nowhere"]) == 1
    assert "there is no module pipeline.stages.nowhere" in capsys.readouterr().err
