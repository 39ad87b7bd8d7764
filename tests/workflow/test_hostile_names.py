"""Names that a shell or Snakemake would take for something else: of the checkout, of data, of classes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_own_data import own_data, with_config
from workflow_project import Project, copy_project

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

BESIDE = "a b ' & ; (touch executed) * ~"
"""A folder's name that a shell would take apart."""
HOSTILE = f'{BESIDE} $(touch executed) `touch executed` "'
"""One that it would run as well; Snakemake itself would."""
TARGET = "results/test/data/detection/dataset.json"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return copy_project(_made(tmp_path / BESIDE))


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_everything_stays_a_name_and_settings_may_be_long(project: Project, tmp_path: Path) -> None:
    data = own_data(tmp_path / f"{HOSTILE} {{given}} {{}} data")
    coco = data["detection"]["coco"]
    further = [f"{{given}} $(touch executed) 'class' {number}" for number in range(9000)]
    for split in coco.values():
        file = Path(split["annotations"])
        content = json.loads(file.read_text())
        content["categories"] += [
            {"id": 100 + number, "name": name} for number, name in enumerate(further)
        ]
        file.write_text(json.dumps(content))
    coco["classes"] = [*map(str, range(10)), *further]
    config = with_config(project, {"data": data})
    result = project.snakemake(TARGET, *config)
    assert result.returncode == 0, result.stdout[-4000:]
    prepared = json.loads((project.folder / TARGET).read_text())
    assert prepared["classes"][-9000:] == further
    assert not list(tmp_path.rglob("executed"))
    settings = project.results / "logs/prepare_detection_data.log.settings"
    assert json.loads(settings.read_text())["dataset"]["coco"]["classes"] == coco["classes"]

    # a file that is no input of Snakemake's, for the braces of its folder, is watched all the same
    assert project.stale(TARGET, *config) == {}
    file = Path(coco["val"]["annotations"])
    content = json.loads(file.read_text())
    content["annotations"].pop()
    file.write_text(json.dumps(content))
    assert project.stale(TARGET, *config) == {"prepare_detection_data": 1}


def test_given_weights_may_lie_below_any_folder(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "{given} $(touch executed)"
    folder.mkdir()
    file = folder / "weights.pth"
    file.write_text("no weights")
    source = {"source": "checkpoint", "checkpoint": {"backbone": str(file)}}
    config = with_config(project, {"data": {"classification": source}})
    result = project.snakemake("results/test/data/weights/backbone/manifest.json", *config)
    assert f"import_weights: {file} " in result.stdout
    assert not list(tmp_path.rglob("executed"))


def test_a_config_with_expressions_is_refused(project: Project) -> None:
    file = project.folder / "own.yaml"
    file.write_text("__use_yte__: true\nrun:\n  seed: ?1 + 1\n")
    result = project.snakemake("-n", "published_numbers", "--configfile", str(file))
    assert result.returncode and "run expressions in it as Python" in result.stdout


@pytest.mark.parametrize("name", ["a:b", "a{b}", HOSTILE])
def test_a_folder_that_no_run_can_have_is_refused_with_a_sentence(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    result = copy_project(tmp_path / name).snakemake("-n", "published_numbers")
    assert result.returncode and "in its path: move or rename it" in result.stdout
    assert not list(tmp_path.rglob("executed"))


def test_another_checkouts_code_in_the_working_directory_is_not_run(
    tmp_path: Path,
) -> None:
    """Started from a folder with a `pipeline` of its own, with `--snakefile`."""
    other = tmp_path / "other"
    checkout = copy_project(_made(tmp_path / HOSTILE)).folder  # it is not the working directory
    (other / "pipeline").mkdir(parents=True)
    (other / "pipeline" / "__init__.py").write_text("raise SystemExit('the other code ran')\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    (other / "config").mkdir()
    (other / "config" / "config.yaml").write_text(
        yaml.safe_dump(yaml.safe_load((checkout / "config/config.yaml").read_text()))
    )
    # the real interpreter: the quick one of other tests takes modules from the working directory
    command = [sys.executable, "-m", "snakemake", "published_numbers", "--cores", "1"]
    command += ["--snakefile", str(checkout / "Snakefile")]
    command += ["--configfile", str(checkout / "config/test.yaml")]
    result = subprocess.run(command, cwd=other, capture_output=True, text=True, env=environment)
    assert not list(tmp_path.rglob("executed"))
    assert "the other code ran" not in result.stdout + result.stderr
    assert result.returncode == 0, result.stderr[-3000:]
