"""The sections of a config that a stage uses, as the JSON that a rule passes it in `params`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

from pipeline.artifacts.files import canonical_json
from pipeline.config.root import Config

COMPUTING = "computing"
"""Key of what a stage is told of the section `run`, where that is not the default (`Computing`)."""


def sections(
    config: Config,
    *names: str,
    constants: Mapping[str, Any] | None = None,
    runs_network: bool | None = None,
    **renamed: str,
) -> str:
    """Canonical JSON of the named sections, so that comments and key order change nothing.

    Args:
        config: the validated config.
        names: dotted paths whose first part is also the key in the JSON, such as `detector`.
        constants: further keys with their values, which are no part of the config.
        runs_network: whether the stage runs one; by default, whether a section tells how many images are
            taken at once, as those of trainings and evaluations do.
        renamed: dotted paths by another key: `pretraining="screening_pretraining"`.

    Where a stage runs a network, and `run` says that it is to compute in another way than by default, the
    JSON says so, too: under `computing`.
    """
    content = config.model_dump(mode="json")
    wanted = {name: name for name in names} | renamed
    picked = {
        key: reduce(lambda value, part: value[part], path.split("."), content)
        for key, path in wanted.items()
    }
    picked |= dict(constants or {})
    computing = config.run.chosen()
    if computing and (_has_batches(picked) if runs_network is None else runs_network):
        picked[COMPUTING] = computing
    return canonical_json(picked, indent=None, sort_keys=True)


def _has_batches(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "batch_size" in value or any(map(_has_batches, value.values()))
    return False


def changed(config: Config, values: Mapping[str, Any]) -> Config:
    """The same config with some values replaced, as an ablation study needs it.

    Args:
        config: the validated config.
        values: by dotted path, such as `screening.mu`.

    Raises:
        KeyError: there is no such path.
        pydantic.ValidationError: a value does not fit.
    """
    content = config.model_dump(mode="json")
    for path, value in values.items():
        *sections_above, key = path.split(".")
        section = reduce(lambda inner, part: inner[part], sections_above, content)
        if key not in section:
            raise KeyError(path)
        section[key] = value
    return Config.model_validate(content, context={"changed": True})
