"""The command line that every stage shares: what it publishes, and what it refuses."""

import runpy
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.artifacts.files import write_json
from pipeline.artifacts.lock import locked
from pipeline.artifacts.manifest import Manifest, Origin, verify
from pipeline.artifacts.publish import Content, publish
from pipeline.config.base import Section
from pipeline.config.optimization import Optimizer, Training
from pipeline.config.supernet import SupernetConfig
from pipeline.environment import BATCH_GPUS, REFERENCE_GPUS
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.runner.stage import Stage, stage_main
from pipeline.search_space.architecture import COMPONENTS, Architecture
from pipeline.stages import derive, draw

TABLE = '{"drawing": "hit_table1", "paper": "hit_detector", "settings": {}}'
SPACE = ("ir_k3_d1_e3", "sep_k5_d2", "conv_k3_d1")


@pytest.fixture
def search(tmp_path: Path) -> Path:
    """A published search, whose scores prefer `sep_k5_d2` everywhere."""
    shape = SupernetConfig()
    supernet = supernet_architecture(shape, 3, shape.depth, dict.fromkeys(COMPONENTS, SPACE))
    scores = {
        "format": 1,
        "components": {
            component: {
                "operations": SPACE,
                "layers": [
                    {"name": name, "probabilities": [0.2, 0.7, 0.1], "macs": [3, 2, 1]}
                    for name in supernet.blocks(component)
                ],
            }
            for component in COMPONENTS
        },
    }
    folder = tmp_path / "run" / "search"
    supernet.save(tmp_path / "supernet.json")
    write_json(tmp_path / "scores.json", scores)
    publish(
        folder,
        {name: tmp_path / name for name in ("scores.json", "supernet.json")},
        Origin(stage="search", config={}, code=None, inputs={}, seed=0),
    )
    return folder


def run(search: Path, *further: str, settings: str = "{}") -> tuple[int, Path]:
    out = search.parent / "hit_detector"
    argv = ["--settings", settings, "--search", str(search / "scores.json")]
    argv += ["--manifest", str(out / "manifest.json"), "--run-folder", str(search.parent)]
    try:
        stage_main(derive.run, derive.Settings, inputs=("search",), argv=[*argv, *further])
    except SystemExit as stop:
        return int(stop.code or 0), out
    return 0, out


def test_a_stage_publishes_its_files_and_where_they_come_from(search):
    code, out = run(search, "--seed", "7")
    assert code == 0
    assert verify(out) == []
    manifest = Manifest.load(out / "manifest.json")
    assert (manifest.stage, manifest.seed, manifest.code) == ("derive", 7, None)
    assert manifest.inputs["search"].path == "search/manifest.json"
    assert manifest.inputs["search"].version == Manifest.load(search / "manifest.json").version
    architecture = Architecture.load(out / "architecture.json")
    chosen = {
        block.operation for name in COMPONENTS for block in architecture.blocks(name).values()
    }
    assert chosen == {"sep_k5_d2"}
    margins = architecture.provenance["margins"]
    assert margins["head"]["block1"] == pytest.approx(0.5)
    assert not (out / "work").exists()


def test_an_altered_input_is_refused_by_name_and_nothing_is_published(search, capsys):
    path = search / "scores.json"
    path.write_text(path.read_text().replace("0.7", "0.8"))
    code, out = run(search)
    assert code == 1
    assert f"{path} was altered: expected sha256:" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{", "--settings is not JSON"),
        ("[" * 100_000, "--settings is not JSON"),
        ("1" * 5000, "--settings is not JSON"),
        ('{"search": {}}', "--settings: search: unknown key"),
        ("[]", "--settings: config: Input should be"),
    ],
)
def test_settings_that_do_not_fit_are_refused(search, capsys, settings, message):
    code, out = run(search, settings=settings)
    assert code == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_manifest_of_another_name_is_refused(search, capsys):
    code, _ = run(search, "--manifest", str(search.parent / "x" / "result.json"))
    assert code == 1
    assert "--manifest must be named manifest.json, not result.json" in capsys.readouterr().err


def test_code_of_another_checkout_is_warned_of(search, tmp_path, monkeypatch, capsys):
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "")
    assert run(search)[0] == 0
    here = Path(derive.__file__).parents[2]
    told = capsys.readouterr().err
    assert f"the code that runs is that of {here}, not of the working directory, {tmp_path}" in told
    assert "--write-pth" in told


def test_what_another_process_published_meanwhile_is_not_made_again(search, tmp_path, monkeypatch):
    """A driver died, its job went on, and the next driver submitted the same work again."""
    _, out = run(search)
    finished = tmp_path / "finished"
    out.rename(finished)
    ready = threading.Event()

    def orphan():
        with locked(out):
            ready.set()
            time.sleep(0.5)
            shutil.copytree(finished, out, dirs_exist_ok=True)

    thread = threading.Thread(target=orphan)
    thread.start()
    ready.wait()
    computed = []
    monkeypatch.setattr(derive, "derive", lambda *args: computed.append(args))
    code, _ = run(search)
    thread.join()
    assert (code, computed) == (0, [])
    assert verify(out) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["detectors.r18"], "--inputs takes NAME=FILE, not 'detectors.r18'"),
        (
            ["detectors.r18=a/manifest.json", "detectors.r18=b/manifest.json"],
            "--inputs names 'detectors.r18' twice",
        ),
        (["detectors.r18=a/manifest.json"], "a/manifest.json"),
    ],
)
def test_several_inputs_need_names_that_differ_and_files_that_are_there(
    tmp_path, capsys, values, message
):
    with pytest.raises(SystemExit) as stop:
        stage_main(
            draw.run,
            draw.Settings,
            several_inputs=("inputs",),
            argv=[
                *("--settings", TABLE, "--inputs", *values),
                *("--manifest", str(tmp_path / "out" / "manifest.json")),
            ],
        )
    assert stop.value.code == 1
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_every_stage_explains_itself(monkeypatch, capsys):
    stages = sorted(path.stem for path in Path(derive.__file__).parent.glob("[!_]*.py"))
    assert {"prepare_detection_data", "search", "evaluate"} <= set(stages)
    # in this process: each one of its own would import torch again
    monkeypatch.setattr(sys, "argv", ["stage", "--help"])
    for stage in stages:
        with pytest.raises(SystemExit) as end:
            runpy.run_module(f"pipeline.stages.{stage}", run_name="__main__", alter_sys=True)
        printed = capsys.readouterr().out
        assert end.value.code == 0, stage
        assert f"python -m pipeline.stages.{stage}" in printed
        assert "--manifest" in printed


class _Trained(Section):
    training: Training


@pytest.mark.parametrize(
    ("batch_gpus", "batch", "rate"), [(0, 2, 0.01), (8, 16, 0.08), (4, 8, 0.04)]
)
def test_a_stage_with_gpus_of_its_own_keeps_the_batch_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_gpus: int, batch: int, rate: float
) -> None:
    """One process of a run whose rates are for eight."""
    monkeypatch.setenv(REFERENCE_GPUS, "8")
    monkeypatch.setenv(BATCH_GPUS, str(batch_gpus))
    found: list[Training] = []

    def work(stage: Stage[_Trained]) -> dict[str, Content]:
        found.append(stage.settings.training)
        return {"nothing.json": b"{}"}

    given = _Trained(training=Training(batch_size=16, optimizer=Optimizer(lr=0.08)))
    manifest = tmp_path / "run/made/manifest.json"
    argv = ["--settings", given.model_dump_json(), "--manifest", str(manifest)]
    stage_main(work, _Trained, argv=[*argv, "--run-folder", str(tmp_path / "run")])
    assert (found[0].batch_size, found[0].optimizer.lr) == (batch, pytest.approx(rate))
