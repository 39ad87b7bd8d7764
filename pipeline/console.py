"""What every program that prints for people does alike, whoever reads it and whatever stops it."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TextIO, cast

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a terminal obeys in place of showing it; a class name may hold it."""
LINE_ENDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Control characters, and what else some readers take for the end of a line."""
READER_GONE = 141
STOPPED = 130
"""Exit codes as a shell gives them for SIGPIPE and SIGINT."""


def counted(number: int, what: str, several: str = "") -> str:
    """A number with its noun: `1 epoch`, `2 epochs`.

    Args:
        number: how many.
        what: the noun for one.
        several: the noun for more, where it takes no `s`.
    """
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def run_program(name: str, main: Callable[[], int | None]) -> NoReturn:
    """Run a program's main function, and exit with its code.

    A reader that has seen enough (`| head`), Ctrl-C, and what the system refuses are no tracebacks; a
    character that a terminal would obey, or that its encoding does not know, is printed as an escape.

    Args:
        name: of the program, for a sentence.
        main: returns the exit code, or exits by itself.
    """
    sys.stdout, sys.stderr = cast(Any, (_Escaping(sys.stdout), _Escaping(sys.stderr)))
    try:
        try:
            code = main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        code = READER_GONE
        _forget_output()
    except KeyboardInterrupt:
        code = STOPPED
    except OSError as error:
        code = 1
        place = f"{error.filename}: " if error.filename else ""
        print(f"{name}: {place}{error.strerror or error}", file=sys.stderr)
        _forget_output()
    sys.exit(code)


def visible(text: str) -> str:
    """The text with control characters, but for tabs and ends of lines, as escapes."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """The text, from outside, as a part of a line: what ends a line, or a terminal obeys, as an escape."""
    return LINE_ENDS.sub(lambda found: ascii(found[0])[1:-1], text)


class EscapingFormatter(logging.Formatter):
    """Lines of a log, which people read on a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, `visible`."""
        return visible(super().format(record))


class _Escaping:
    """A standard stream that prints what is visible, and is otherwise the stream itself."""

    def __init__(self, stream: TextIO) -> None:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(visible(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _forget_output() -> None:
    """Let what could not be printed go: Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
