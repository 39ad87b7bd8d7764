"""Text of any length on a command line: in the argument itself, or in a file that it names."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts.files import read_text


def text_of(argument: str) -> str:
    """What an argument says: the content of FILE for `@FILE`, else the argument.

    Linux takes no argument beyond 128 KiB; the rules write longer settings to a file beside the log.

    Raises:
        ArtifactError: the file is missing, unreadable or not UTF-8.
    """
    return read_text(Path(argument[1:])) if argument.startswith("@") else argument
