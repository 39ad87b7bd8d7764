"""Values as the text of a Python config that mmengine reads.

Before mmengine runs such a file it replaces `{{fileDirname}}`, `{{$VARIABLE:default}}` and
`{{_base_.key}}` in its text, within string literals too: a name that comes from a user's file could put
code there. A literal with doubled braces is therefore written with escapes in their place.
"""

from __future__ import annotations

from typing import Any

ESCAPES = str.maketrans({"{": r"\x7b", "}": r"\x7d"})


def literal(value: Any) -> str:
    """The Python literal of plain data: `repr`, with no doubled brace inside any string.

    Braces of nested dictionaries stay as they are; `{{` never stands outside of a string, since no
    dictionary is a key.
    """
    if type(value) is str:
        written = repr(value)
        # a backslash of the text is doubled by repr, so none before a brace could swallow the escape's
        return written.translate(ESCAPES) if "{{" in value or "}}" in value else written
    if type(value) is dict:
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    if type(value) is list:
        return "[" + ", ".join(map(literal, value)) + "]"
    if type(value) is tuple:
        return "(" + ", ".join(map(literal, value)) + ("," if len(value) == 1 else "") + ")"
    if value is None or type(value) in (bool, int, float):
        return repr(value)
    raise TypeError(f"no plain data for a config: {value!r}")
