"""The sections of a config that a stage uses, as the JSON that a rule passes it in `params`."""

from __future__ import annotations

from functools import reduce

from pipeline.artifacts.files import canonical_json
from pipeline.config.root import Config


def sections(config: Config, *names: str, **renamed: str) -> str:
    """Canonical JSON of the named sections, so that comments and key order change nothing.

    Args:
        config: the validated config.
        names: dotted paths whose first part is also the key in the JSON, such as `detector`.
        renamed: dotted paths by another key: `pretraining="screening_pretraining"`.
    """
    content = config.model_dump(mode="json")
    wanted = {name: name for name in names} | renamed
    picked = {
        key: reduce(lambda value, part: value[part], path.split("."), content)
        for key, path in wanted.items()
    }
    return canonical_json(picked, indent=None, sort_keys=True)
