"""What the blocks of code on the pages are, and how each is tried.

Every fenced block names its language, and so its class:

    sh      commands; each is of a program in `PROGRAMS` (tried) or in `NOT_TRIED` (with the reason)
    python  compiled, and what it imports of `pipeline` is there; pages of `RUN_ON_A_RUN` are executed
    yaml    a config file: laid on the default one, it is valid
    json    parsed
    text    output, folders, formulas: nothing to try
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import json
import re
import shlex
import textwrap
from collections.abc import Iterator
from contextlib import redirect_stderr, suppress
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from pages import ROOT, Block, Page
from snakemake.cli import parse_args
from snakemake.utils import update_config

from pipeline.config.root import load_config
from pipeline.errors import DetSearchError

NOT_TRIED = {
    **dict.fromkeys(
        ("git", "cp", "ln", "mkdir", "cd", "tar", ".", "export", "echo"), "the shell's own"
    ),
    **dict.fromkeys(("ssh", "rsync", "scp"), "needs a second machine"),
    **dict.fromkeys(("apt-get", "pip", "conda", "mamba"), "needs a network"),
    **dict.fromkeys(("docker", "apptainer"), "needs a container program and a network"),
    **dict.fromkeys(("nvidia-smi", "sbatch", "scancel", "tmux"), "needs a GPU or a cluster"),
    "jq": "works on COCO's files of 2014",
    "bash": "the script needs a network",
}
"""Programs of command blocks that no test starts, and why."""

RUN_ON_A_RUN = ("docs/howto/plot_results.md", "docs/howto/mmdet.md")
"""Pages whose Python is executed on a finished run: tests/docs/test_programs_on_a_run.py."""

IMPORTS_TORCH = ("pipeline.doctor",)
"""Programs whose import takes many seconds: only the names of their options are looked up."""

OWN_CONFIGS = ("my.yaml",)
"""Files that a page's reader writes: the page's first YAML block that begins with `# <name>`, or nothing."""


@dataclass(frozen=True)
class Command:
    """One simple command of a block, with its place."""

    page: Page
    line: int
    words: tuple[str, ...]

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}: {shlex.join(self.words)}"


def commands(page: Page) -> Iterator[Command]:
    """The simple commands of a page's `sh` blocks, without assignments and what only wraps them."""
    for block in page.blocks:
        if block.language != "sh":
            continue
        text = re.sub(r"\\\n", lambda _: "  ", block.text)
        for number, line in enumerate(text.splitlines(), block.line + 1):
            line = re.sub(r"\s\d?>(&\d|>?\s*\S+)", "", line)
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            simple: list[str] = []
            for token in [*lexer, ";"]:
                if re.fullmatch(r"[();|&]+", token):
                    if simple := _without_wrapping(simple):
                        yield Command(page, number, tuple(simple))
                    simple = []
                else:
                    simple.append(token)


def _without_wrapping(simple: list[str]) -> list[str]:
    while simple and (re.match(r"[A-Z_]+=", simple[0]) or simple[0] in ("nice", "time")):
        simple = simple[1:]
    if simple:
        simple[0] = simple[0].removeprefix(".venv/bin/")
    if simple[:3] == ["python", "-m", "snakemake"]:
        simple = simple[2:]
    return simple


def merged(texts: list[str]) -> dict[str, Any]:
    """The default config with files laid on top of it, as Snakemake lays them."""
    config = deepcopy(_default())
    for text in texts:
        update_config(config, yaml.safe_load(text) or {})
    return config


@cache
def _default() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "config/config.yaml").read_text())


def own_config(page: Page, name: str) -> str:
    """What the page says is in a file that its reader writes; empty where another page says it."""
    for block in page.blocks:
        if block.language == "yaml" and block.text.startswith(f"# {name}"):
            return block.text
    return ""


@dataclass(frozen=True)
class Invocation:
    """What a `snakemake` command asks for."""

    targets: tuple[str, ...]
    files: tuple[str, ...]
    settings: tuple[str, ...]
    profile: str | None
    only_parsed: bool


def snakemake_invocation(command: Command) -> Invocation:
    """Read a command by Snakemake's own parser.

    Raises:
        ValueError: Snakemake does not take it, or a config file is missing or invalid.
    """
    told = StringIO()
    try:
        with redirect_stderr(told):
            _, arguments = parse_args(list(command.words[1:]))
    except SystemExit:
        raise ValueError(told.getvalue().splitlines()[-1]) from None
    files = [str(path) for path in arguments.configfile or []]
    texts = []
    for name in files:
        if name in OWN_CONFIGS:
            texts.append(own_config(command.page, name))
        elif name.endswith(".yaml") and (ROOT / name).is_file():
            texts.append((ROOT / name).read_text())
        else:
            raise ValueError(f"no such config file: {name}")
    settings = [str(setting) for setting in arguments.config or []]
    texts += [
        yaml.safe_dump({key: yaml.safe_load(value)})
        for key, _, value in (setting.partition("=") for setting in settings)
    ]
    with _as_value_error():
        load_config(merged(texts))
    asks_to_run = not (arguments.unlock or arguments.report or arguments.list_rules)
    return Invocation(
        tuple(map(str, arguments.targets or ())),
        tuple(files),
        tuple(settings),
        arguments.profile,
        not asks_to_run,
    )


class _as_value_error:
    """Turns a refused config into the error of a page."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DetSearchError):
            raise ValueError(str(error)) from None


class _Parsed(BaseException):
    """The arguments were taken; not an Exception, so that no program catches it."""


def try_program(command: Command) -> None:
    """Let `python -m pipeline.…` read its arguments, and do nothing with them.

    Raises:
        ValueError: there is no such program, or it does not take these arguments.
    """
    _, option, name, *arguments = command.words
    if option != "-m":
        if option == "-c":
            return
        _must_exist(option)
        return
    if importlib.util.find_spec(name) is None:
        raise ValueError(f"no module {name}")
    if not re.fullmatch(r"pipeline\.\w+", name):
        return
    if name in IMPORTS_TORCH:
        source = (ROOT / name.replace(".", "/") / "__main__.py").read_text()
        for option in arguments:
            if option.startswith("--") and f'"{option}"' not in source:
                raise ValueError(f"{name} has no option {option}")
        return
    package = bool(importlib.util.find_spec(name).submodule_search_locations)  # type: ignore[union-attr]
    module = importlib.import_module(f"{name}.__main__" if package else name)
    real = argparse.ArgumentParser.parse_args

    def parse_args_only(self: argparse.ArgumentParser, *given: Any, **named: Any) -> None:
        real(self, *given, **named)
        raise _Parsed

    told = StringIO()
    with mock.patch.object(argparse.ArgumentParser, "parse_args", parse_args_only):
        try:
            with redirect_stderr(told), suppress(_Parsed):
                module.main(list(arguments))
        except SystemExit as end:
            if end.code:
                raise ValueError(told.getvalue().splitlines()[-1]) from None


def try_make(command: Command) -> None:
    """Make's targets are in the Makefile."""
    makefile = (ROOT / "Makefile").read_text()
    for word in command.words[1:]:
        if "=" not in word and not re.search(rf"^{re.escape(word)}:", makefile, re.M):
            raise ValueError(f"the Makefile has no target {word}")


def try_paths(command: Command) -> None:
    """The files and folders that a command of pytest or the linters names are there."""
    skipped = False
    for word in command.words[1:]:
        if not skipped and not word.startswith("-") and "/" in word:
            _must_exist(word.partition("::")[0])
        skipped = word in ("-m", "-k", "-n", "--dist", "--hypothesis-profile")


def _must_exist(name: str) -> None:
    if not (ROOT / name).exists():
        raise ValueError(f"no such file: {name}")


PROGRAMS = {
    "snakemake": snakemake_invocation,
    "python": try_program,
    "python3": try_program,
    "make": try_make,
    "pytest": try_paths,
    "ruff": try_paths,
}


def try_block(page: Page, block: Block) -> None:
    """Try a block that holds no commands.

    Raises:
        ValueError: it is not what its language says.
    """
    match block.language:
        case "python":
            _try_python(block.text)
        case "yaml":
            with _as_value_error():
                load_config(merged([block.text]))
        case "json":
            try:
                json.loads(block.text)
            except ValueError:
                for line in block.text.splitlines():
                    json.loads(line)
        case "sh" | "text" | "smk":
            pass
        case other:
            raise ValueError(
                f"a block of the language '{other}': sh, python, yaml, json, smk or text?"
            )


def _try_python(text: str) -> None:
    text = textwrap.dedent(text)
    try:
        tree = ast.parse(text)
    except SyntaxError:
        # an entry of a dictionary
        tree = ast.parse(f"{{{text}}}")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline"):
            spec = importlib.util.find_spec(node.module or "")
            if spec is None or spec.origin is None:
                raise ValueError(f"no module {node.module}")
            source = Path(spec.origin).read_text()
            for name in node.names:
                if not re.search(rf"^(def|class) {name.name}\b|^{name.name}\b", source, re.M):
                    raise ValueError(f"{node.module} has no {name.name}")
