"""What may be the name of a run, and text that is too long for an argument or for a message."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.artifacts.errors import ArtifactError
from pipeline.config.arguments import text_of
from pipeline.config.root import ConfigError, load_config
from pipeline.config.run import LONGEST, RunConfig
from pipeline.errors import DetSearchError, shortened
from pipeline.runner.command import parse_settings


@pytest.mark.parametrize("name", ["a", "embedded", "-x", "_", "2026-11.run_3", "x" * LONGEST])
def test_a_run_may_have_such_a_name(name: str) -> None:
    assert RunConfig(name=name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "a/b",
        "/",
        "a b",
        "a\n",
        "\n",
        "$(x)",
        "{x}",
        "é",
        "x" * 300,
        "a\0",
    ],
)
def test_other_names_are_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"data": {}, "run": {"name": name}})
    assert "run.name: a run's name is made of letters (A to Z), digits, dots" in str(caught.value)
    assert "at most 100 characters" in str(caught.value)


@given(st.text(max_size=120))
def test_a_name_that_passes_stays_within_its_folder(name: str) -> None:
    try:
        RunConfig(name=name)
    except ValidationError:
        return
    folder = Path("results") / name
    assert folder.parent == Path("results") and len(str(folder).split()) == 1


def test_settings_may_come_out_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "x.settings"
    file.write_text(json.dumps({"name": "é" * 50}))
    with pytest.raises(DetSearchError, match="is made of letters"):
        parse_settings(RunConfig, f"@{file}")
    file.write_text('{"name": "of_a_file"}')
    assert parse_settings(RunConfig, f"@{file}")[0].name == "of_a_file"
    assert parse_settings(RunConfig, '{"name": "given"}')[0].name == "given"
    with pytest.raises(ArtifactError, match=r"none\.settings is missing"):
        text_of(f"@{tmp_path}/none.settings")


def test_a_long_value_is_shortened_in_a_message() -> None:
    assert shortened("short") == "short"
    assert shortened("x" * 1000, 10) == "xxxxxxxxxx… (1000 characters)"
    with pytest.raises(ConfigError) as caught:
        load_config({"data": {}, "run": {"seed": "9" * 100_000}})
    assert len(str(caught.value)) < 600
