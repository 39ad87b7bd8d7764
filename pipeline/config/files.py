"""Config files as a run takes them: the embedded default, with the user's files on top of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.root import Config, ConfigError, load_config

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
        values = _laid_on_top(values, _read(path))
    return load_config(values)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path} holds no sections, but a {type(content).__name__}")
    return content


def _laid_on_top(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        former = merged.get(key)
        if isinstance(value, Mapping) and isinstance(former, Mapping):
            merged[key] = _laid_on_top(former, value)
        else:
            merged[key] = value
    return merged
