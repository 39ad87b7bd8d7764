"""Programs end as others of a shell do, whoever reads them and whatever stops them."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.console import EscapingFormatter

ROOT = Path(__file__).parents[1]
PROGRAM = """\
import sys
from pipeline.console import run_program
def main():
    {}
run_program("program", main)
"""


def run(body: str, stdout: int, **environment: str) -> tuple[int, str]:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    return result.returncode, result.stderr


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_has_seen_enough_is_no_error(lines: int) -> None:
    """Whether the pipe is found closed while printing, or at the end when the last is flushed."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert run(f"print('x\\n' * {lines})", writing) == (141, "")
    finally:
        os.close(writing)


def test_what_cannot_be_printed_is_a_sentence() -> None:
    with Path("/dev/full").open("wb") as full:
        code, said = run("print('x')", full.fileno())
    assert (code, said) == (1, "program: No space left on device\n")
    code, said = run("open('/no/such/file')", subprocess.DEVNULL)
    assert (code, said) == (1, "program: /no/such/file: No such file or directory\n")


def test_ctrl_c_is_no_traceback() -> None:
    assert run("raise KeyboardInterrupt", subprocess.DEVNULL) == (130, "")


def test_any_text_can_be_printed(tmp_path: Path) -> None:
    """A file's name in another encoding, and an arrow where the terminal knows ASCII only."""
    for coding in ("utf-8", "ascii"):
        with (tmp_path / "printed").open("wb") as file:
            body = "print('caf\\udce9 → '); sys.exit(3)"
            assert run(body, file.fileno(), PYTHONIOENCODING=coding) == (3, "")
        assert (tmp_path / "printed").read_bytes().startswith(b"caf\\udce9 ")


def test_what_a_terminal_would_obey_is_printed_as_an_escape(tmp_path: Path) -> None:
    with (tmp_path / "printed").open("wb") as file:
        assert run("print('a\\x1b[2J\\x9b1m\\r\\tb')", file.fileno()) == (0, "")
    assert (tmp_path / "printed").read_bytes() == b"a\\x1b[2J\\x9b1m\\r\tb\n"
    record = logging.makeLogRecord({"msg": "class %r %s", "args": ("\x1b[2J", "\x1b[2J")})
    assert EscapingFormatter().format(record) == r"class '\x1b[2J' \x1b[2J"


def test_every_program_that_prints_does_so() -> None:
    own = {
        "launch.py",
        "fork_server/server.py",
        "config/root.py",
        "detection/op_finder/__main__.py",
    }
    for path in (ROOT / "pipeline").rglob("*.py"):
        name = path.relative_to(ROOT / "pipeline").as_posix()
        text = path.read_text()
        if 'if __name__ == "__main__":' in text and not name.startswith("stages/"):
            assert ("run_program(" in text) == (name not in own), name
