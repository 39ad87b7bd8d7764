"""Which package of `pipeline` imports which: the dependencies point one way."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from pipeline.artifacts.fingerprint import imported_modules

PIPELINE = Path(__file__).parents[1] / "pipeline"
STAGES = sorted(path.stem for path in (PIPELINE / "stages").glob("[!_]*.py"))
DRAWING = ("draw", "draw_front", "report")
"""The stages whose results are tables, figures and pages."""


def imports(path: Path) -> Iterator[str]:
    """The modules that the import statements of a file name, wherever they stand."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages() -> dict[str, set[str]]:
    """What each package, or module beside the packages, imports from the others."""
    graph: dict[str, set[str]] = {}
    for path in PIPELINE.rglob("*.py"):
        package = path.relative_to(PIPELINE).with_suffix("").parts[0]
        if package == "__init__":
            continue  # it makes mmdet importable, before all else
        used = {name.split(".")[1] for name in imports(path) if name.startswith("pipeline.")}
        graph.setdefault(package, set()).update(used - {package})
    return graph


def test_no_packages_import_each_other_in_a_circle() -> None:
    assert [*TopologicalSorter(packages()).static_order()]


def test_packages_import_only_what_contributing_lists_before_them() -> None:
    text = (PIPELINE.parent / "CONTRIBUTING.md").read_text()
    _, _, after = text.partition("A\npackage of `pipeline/` imports only packages above it")
    listed = after.split("```")[1].removeprefix("text\n").splitlines()
    order = [name for line in listed for name in line.split("  ")[0].split(", ")]
    graph = packages()
    assert sorted(order) == sorted(graph)
    for place, name in enumerate(order):
        assert graph[name] <= set(order[:place]), f"{name} is listed before what it imports"


def test_the_lowest_packages_import_what_they_may() -> None:
    graph = packages()
    assert graph["errors"] == graph["environment"] == graph["console"] == set()
    assert graph["artifacts"] == {"console", "errors"}
    assert graph["launch"] == {"environment", "errors", "fork_server", "processes"}
    assert graph["fork_server"] == set()
    assert graph["processes"] == {"environment"}
    assert graph["config"] <= {"artifacts", "errors", "search_space"}
    drawing = ("stages", "drawings")
    assert "report" not in set().union(
        *(used for name, used in graph.items() if name not in drawing)
    )
    assert all("stages" not in used and "launch" not in used for used in graph.values())
    assert all("driver" not in used for used in graph.values())
    assert [name for name, used in graph.items() if "runner" in used] == ["stages"]


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage not in DRAWING])
def test_a_stage_that_draws_nothing_imports_nothing_of_the_report(stage: str) -> None:
    everything = imported_modules(f"pipeline.stages.{stage}", left_out={})
    programs = ("pipeline.report", "pipeline.status", "pipeline.doctor", "pipeline.plan")
    assert [name for name in everything if name.startswith(programs)] == []
