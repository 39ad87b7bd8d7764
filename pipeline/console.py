"""What every program that prints for people does alike, whoever reads it and whatever stops it."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import NoReturn

READER_GONE = 141
STOPPED = 130
"""Exit codes as a shell gives them for SIGPIPE and SIGINT."""


def run_program(name: str, main: Callable[[], int | None]) -> NoReturn:
    """Run a program's main function, and exit with its code.

    A reader that has seen enough (`| head`), Ctrl-C, and what the system refuses are no tracebacks; a
    character that the terminal's encoding does not know is printed as an escape.

    Args:
        name: of the program, for a sentence.
        main: returns the exit code, or exits by itself.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
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


def _forget_output() -> None:
    """Let what could not be printed go: Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
