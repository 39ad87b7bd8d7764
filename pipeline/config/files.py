"""Config files as a run takes them: the embedded default, with the user's files on top of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.root import Config, ConfigError, load_config

TEMPLATE = "__use_yte__"
DEFAULT = Path(__file__).parents[2] / "config" / "config.yaml"


def load_config_files(paths: Sequence[Path] = ()) -> Config:
    """Validate what `snakemake --configfile PATHS` would run with.

    Args:
        paths: YAML files, each laid on top of those before it, section by section.

    Raises:
        ConfigError: a file cannot be read, is not a mapping in YAML, or the whole has mistakes.
    """
    values: dict[str, Any] = {}
    for path in (DEFAULT, *paths):
        values = _laid_on_top(values, read_config_file(path))
    return load_config(values)


def read_config_file(path: Path) -> Mapping[str, Any]:
    """The content of one config file.

    Raises:
        ConfigError: it cannot be read, is not a mapping in YAML, or would make Snakemake run what stands in
            it as Python.
    """
    try:
        content = _parsed(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8 ({error}): save it so") from None
    except RecursionError:
        raise ConfigError(f"{path} is no config: its sections have too many levels") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path} holds no sections, but a {type(content).__name__}")
    if TEMPLATE in content:
        raise ConfigError(
            f"{path} has the key {TEMPLATE}, which makes Snakemake run expressions in it as Python, in a "
            "dry run too: write the values themselves"
        )
    return content


def parse_config(text: str) -> Mapping[str, Any]:
    """A config that was given as JSON.

    Raises:
        ConfigError: it is none.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the config is not JSON: {error}") from None
    if not isinstance(content, Mapping):
        raise ConfigError(f"the config holds no sections, but a {type(content).__name__}")
    return content


def _parsed(text: str) -> Any:
    """JSON where it is JSON, as Snakemake does: with tabs it is no YAML."""
    try:
        return json.loads(text)
    except ValueError:
        return yaml.safe_load(text)


def _laid_on_top(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        former = merged.get(key)
        if isinstance(value, Mapping) and isinstance(former, Mapping):
            merged[key] = _laid_on_top(former, value)
        else:
            merged[key] = value
    return merged
