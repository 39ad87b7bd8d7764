"""How a run computes reaches the stages that run a network, and only what differs from the default."""

import json
from typing import Any

import pytest

from pipeline.config.base import NoSettings, Section
from pipeline.config.evaluation import TrainingConfig
from pipeline.config.root import Config, load_config
from pipeline.config.run import Computing
from pipeline.config.sections import sections
from pipeline.errors import DetSearchError
from pipeline.runner.command import parse_settings, recorded


class _Trained(Section):
    training: TrainingConfig


def _config(**run: Any) -> Config:
    return load_config({"data": {"detection": {"source": "embedded"}}, "run": run})


def _given(config: Config, *names: str, **constants: Any) -> dict[str, Any]:
    return json.loads(sections(config, *names, constants=constants))


def test_the_default_is_no_part_of_what_a_stage_is_given() -> None:
    config = _config(precision="float32", deterministic="auto")
    assert _given(config, "training").keys() == {"training"}


def test_a_stage_that_runs_a_network_is_told_what_differs() -> None:
    config = _config(precision="bf16", gpus=4)
    assert _given(config, "training")["computing"] == {"precision": "bf16"}
    assert _given(config, "evaluation")["computing"] == {"precision": "bf16"}
    phase = config.teacher_pool.phases[0].model_dump(mode="json")
    assert _given(config, phase=phase)["computing"] == {"precision": "bf16"}
    # a stage that derives, draws or merges runs none
    assert "computing" not in _given(config, "normalization", "supernet", "report")


def test_a_stage_takes_it_apart_from_its_settings_and_records_it() -> None:
    text = sections(_config(precision="bf16", deterministic=True), "training")
    settings, computing = parse_settings(_Trained, text)
    assert settings == _Trained(training=TrainingConfig())
    assert computing == Computing(precision="bf16", deterministic=True)
    assert recorded(computing) == {"computing": {"precision": "bf16", "deterministic": True}}
    settings, computing = parse_settings(NoSettings, "{}")
    assert computing == Computing() and recorded(computing) == {}


def test_an_unknown_way_to_compute_is_refused() -> None:
    with pytest.raises(DetSearchError, match="precision"):
        parse_settings(NoSettings, '{"computing": {"precision": "fp16"}}')
