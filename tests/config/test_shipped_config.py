"""The shipped `config.yaml` names and explains every key, and fits the schema that editors are given."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from pipeline.config.hit_detector import SearchConfig
from pipeline.config.optimization import Classification
from pipeline.config.root import Config, load_config, write_schema
from pipeline.config.sections import sections

FOLDER = Path(__file__).parents[2] / "config"
SHIPPED = FOLDER / "config.yaml"


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return yaml.safe_load(SHIPPED.read_text())


def _keys(model: BaseModel, path: str = "") -> Iterator[str]:
    """The dotted path of every key that a config can hold, in the order of the models."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        yield f"{path}{name}"
        if isinstance(value, BaseModel):
            yield from _keys(value, f"{path}{name}.")


def _written(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{path}{name}"
        if isinstance(value, dict):
            yield from _written(value, f"{path}{name}.")


# sources of the user's own, which docs/reference/config.md explains
OWN_DATA = {
    "data.detection.coco",
    "data.detection.yolo",
    "data.detection.voc",
    "data.classification.image_folder",
    "data.classification.checkpoint",
    "base_detector.mmdet",
}


def test_the_shipped_config_is_valid_and_names_every_key(values: dict[str, Any]) -> None:
    config = load_config(values)
    assert set(_keys(config)) - set(_written(values)) == OWN_DATA
    assert config.run.name == "embedded"
    assert config.data.detection.source == config.data.classification.source == "embedded"


def _lines() -> Iterator[tuple[int, str, str]]:
    """Number, key and comment of each line of the shipped config that holds a key."""
    for number, line in enumerate(SHIPPED.read_text().splitlines(), 1):
        code, _, comment = line.partition(" #")
        key, colon, _ = code.strip().partition(":")
        if colon and not code.startswith("#"):
            yield number, key, comment.strip()


def _described(schema: dict[str, Any]) -> set[str]:
    """Keys that the schema, and with it any editor, explains."""
    return {
        name
        for definition in [schema, *schema["$defs"].values()]
        for name, field in definition.get("properties", {}).items()
        if field.get("description")
    }


def test_every_key_is_explained_once() -> None:
    """On its own line, at an earlier line of the same key, or by its description in the schema."""
    described = _described(Config.model_json_schema())
    explained: set[str] = set()
    # names that say what they are
    obvious = {
        "run",
        "data",
        "stem_channels",
        "rpn_channels",
        "nms_iou",
        "label_smoothing",
        "optimizer",
        "weight_decay",
        "backbone",
        "neck",
        "head",
        "evaluation",
        "report",
    }
    silent = []
    for number, key, comment in _lines():
        if comment:
            explained.add(key)
        elif key not in explained | described | obvious:
            silent.append(f"line {number}: {key}")
    assert not silent


def test_the_schema_takes_the_shipped_config_and_refuses_unknown_keys(
    values: dict[str, Any], tmp_path: Path
) -> None:
    write_schema(tmp_path / "schema.json")
    schema = json.loads((tmp_path / "schema.json").read_text())
    jsonschema.validate(values, schema)
    values = json.loads(json.dumps(values))
    values["search"]["lambda"] = 1
    with pytest.raises(jsonschema.ValidationError, match="lambda"):
        jsonschema.validate(values, schema)


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return value


def test_sections_do_not_depend_on_the_order_of_keys_or_on_what_is_a_default(
    values: dict[str, Any],
) -> None:
    config = load_config(values)
    names = ("search", "supernet", "data.detection", "screening.optimizer")
    text = sections(config, *names, pretraining="screening_pretraining", seed="run.seed")
    shuffled = load_config(_reversed(values))
    assert sections(shuffled, *names, pretraining="screening_pretraining", seed="run.seed") == text
    assert "\n" not in text and text == json.dumps(
        json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    content = json.loads(text)
    assert set(content) == {*names, "pretraining", "seed"}
    # what a stage makes of the text is the config's section, whatever defaults were left out of it
    assert SearchConfig.model_validate(content["search"]) == config.search
    assert Classification.model_validate(content["pretraining"]) == config.screening_pretraining
    assert content["seed"] == values["run"]["seed"]
    # a default that is written out is the default
    written = Config.model_validate({"data": {}, "evaluation": {"batch_size": 1}})
    assert sections(written, "evaluation") == sections(load_config({"data": {}}), "evaluation")


def test_a_change_shows_in_its_own_section_only(values: dict[str, Any]) -> None:
    config = load_config(values)
    changed = load_config({**values, "search": {**values["search"], "cost_weight": 0.5}})
    for name in values:
        same = sections(config, name) == sections(changed, name)
        assert same == (name != "search")
