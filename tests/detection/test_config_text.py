"""Names in a detector's config stay data, whatever mmengine replaces in the text before it runs it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from small_shape import SHAPE

from pipeline.config.detector import DetectorConfig
from pipeline.detection.builder import Surroundings, model_config
from pipeline.detection.config_text import literal
from pipeline.detection.dataset import dataset_config
from pipeline.detection.dataset import test_transforms as transforms_of
from pipeline.detection.detector_folder import detector_files, mmdet_config
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import Architecture

AROUND = Surroundings(detector=DetectorConfig(image_scale=(96, 64)))

CALL = "__import__('pathlib').Path('executed').touch()"
RUNS = ["{{$X:v", f"}}}}{CALL},{{{{$Y:", "}}y'"]
"""In the text of a config, side by side, these ran `CALL`."""

HOSTILE = [
    *RUNS,
    f"}}}},{CALL},{{{{$Y:'",
    f"{{{{$PATH_THAT_IS_NOT_SET:'+str({CALL})+'}}}}",
    "{{'$HOME:v'}}",
    "{{$HOME:}}",
    "{{ fileDirname }}",
    "{{fileBasename}}{{fileExtname}}{{fileBasenameNoExtension}}",
    "{{ _base_.model }}",
    "_base_ = 'other.py'",
    "{{{{",
    "}}",
    "\\{{$X:v}}",
    "\\",
    '\'"""\'',
    "\n\r\t\x00\x85\u2028\ufeff",
    "<b>&\"'",
    "</script>",
    "élan 犬 \U0001f600",
    "\ud800",
]
PIECES = st.sampled_from([*HOSTILE, "{{", "}}", "{", "}", "$", ":", "'", '"', "\\", ",", "#", CALL])
NAMES = st.lists(PIECES | st.text(max_size=5), min_size=1, max_size=6).map("".join)


def _architecture(classes: int) -> Architecture:
    operations = {"backbone": "ir_k3_d1_e3", "neck": "sep_k5_d2", "head": "ir_k5_d1_e1"}
    return supernet_architecture(SHAPE, classes, (1, 1, 1, 1), operations)


def _read_in_every_way(path: Path) -> list[Any]:
    """Config.fromfile with and without what it replaces, and as a config with lazy imports."""
    found = [
        Config.fromfile(path),
        Config.fromfile(path, lazy_import=True),
        Config.fromfile(path, use_predefined_variables=False, use_environment_variables=False),
        Config.fromstring(path.read_text(encoding="utf-8"), ".py"),
    ]
    return [each["names"] for each in found]


@settings(max_examples=150, deadline=None)
@given(names=st.lists(NAMES, min_size=1, max_size=4))
def test_mmengine_reads_any_names_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "{{$X:v}}"
    folder.mkdir(exist_ok=True)
    path = folder / "config.py"
    path.write_text(f"names = {literal(names)}\n", encoding="utf-8")
    assert _read_in_every_way(path) == [names] * 4
    assert not Path("executed").exists()


def test_hostile_names_are_read_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "config.py"
    for name in HOSTILE:
        path.write_text(f"names = {literal([name])}\n", encoding="utf-8")
        assert _read_in_every_way(path) == [[name]] * 4


def test_names_that_ran_code_in_a_config_run_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.py"
    path.write_text(f"names = {RUNS!r}\n")
    Config.fromfile(path)  # as any text of this kind: the trap works
    (tmp_path / "executed").unlink()
    path.write_text(f"names = {literal(RUNS)}\n")
    assert _read_in_every_way(path) == [RUNS] * 4
    assert not (tmp_path / "executed").exists()


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab{'\"\\ é\n", max_size=1),
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text("ab "), inner)
    ),
    max_leaves=20,
)


@given(PLAIN)
def test_without_doubled_braces_it_is_what_repr_gives(value: Any) -> None:
    assert literal(value) == repr(value)


def test_what_is_no_plain_data_is_refused() -> None:
    with pytest.raises(TypeError, match="no plain data"):
        literal([Path()])


def test_a_config_with_ordinary_names_has_the_bytes_it_had() -> None:
    classes = ["cat", "traffic light", "d'or", "{open}", "50 %"]
    architecture = _architecture(len(classes))
    transforms = transforms_of(AROUND.detector, load="LoadImageFromFile")
    dataset = dataset_config("", "", classes, transforms, train=False)
    text = mmdet_config(architecture, AROUND, classes)
    assert f"\nmodel = {model_config(architecture, AROUND)!r}\n" in text
    assert f"\ntest_dataloader = { ({'batch_size': 1, 'dataset': dataset})!r}\n" in text


IN_A_FRESH_PROCESS = """
import json, sys
import pipeline
from mmdet.apis import init_detector

folder = sys.argv[1]
model = init_detector(f"{folder}/config.py", f"{folder}/weights.safetensors", device="cpu")
print("RESULT" + json.dumps(list(model.dataset_meta["classes"])))
"""


@pytest.mark.slow
def test_mmdet_loads_a_detector_with_hostile_names_and_runs_nothing(tmp_path: Path) -> None:
    import torch

    from pipeline.detection.builder import build_detector

    classes = [*HOSTILE, "{{$A:1}}", f"x}}}}',{CALL},'{{{{$B:"]
    classes.remove("\ud800")  # has no UTF-8: the check of the data refuses it
    architecture = _architecture(len(classes))
    torch.manual_seed(0)
    weights = build_detector(architecture, AROUND).state_dict()
    for name, content in detector_files(architecture, weights, AROUND, classes, {}).items():
        path = tmp_path / name
        if callable(content):
            content(path)
        else:
            assert isinstance(content, bytes)
            path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    found = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    assert json.loads(found.removeprefix("RESULT")) == classes
    assert not (tmp_path / "executed").exists()
