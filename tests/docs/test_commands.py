"""Every block of code on the pages is classified, and what can be tried in a moment is tried.

The dry runs of the same commands are in test_dry_runs.py, programs on a finished run in
test_programs_on_a_run.py.
"""

import os
from pathlib import Path

import pytest
from commands import NOT_TRIED, PROGRAMS, commands, snakemake_invocation, try_block
from pages import ROOT, Block, all_pages, read_page

PAGES = {page.name: page for page in all_pages()}


@pytest.fixture(autouse=True)
def root_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    # Snakemake looks for profiles, and pages name files, from the root
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(os, "environ", dict(os.environ))


def faults(page) -> list[str]:
    """What is wrong with the blocks of a page."""
    found = []
    for block in page.blocks:
        try:
            try_block(page, block)
        except (ValueError, SyntaxError) as error:
            found.append(f"{page.name}:{block.line}: {error}")
    for command in commands(page):
        program = command.words[0]
        if program in PROGRAMS:
            try:
                PROGRAMS[program](command)
            except ValueError as error:
                found.append(f"{command.place}: {error}")
        elif program not in NOT_TRIED:
            found.append(f"{command.place}: no test knows this program")
    return found


@pytest.mark.parametrize("name", PAGES)
def test_every_block_is_classified_and_tried(name: str) -> None:
    assert faults(PAGES[name]) == []


BAD = {
    "```\nmake demo\n```": "a block of the language ''",
    "```sh\nmake demoo\n```": "no target demoo",
    "```sh\nfrobnicate --all\n```": "no test knows this program",
    "```sh\nsnakemake -n --configfile config/test.yaml hit_table5\n```": "no such config file: hit_table5",
    "```sh\nsnakemake --corez 2\n```": "--corez",
    "```sh\nsnakemake --config run='{gpu: 2}'\n```": "run.gpu",
    "```sh\n.venv/bin/python -m pipeline.exporter x\n```": "no module pipeline.exporter",
    "```sh\npython -m pipeline.export folder --onyx x.onnx\n```": "--onnx",
    "```sh\npython -m pipeline.doctor --config my.yaml\n```": "no option --config",
    "```sh\ncd x && (A=1 pytest tests/no_such_folder)\n```": "no such file: tests/no_such_folder",
    "```python\nfrom pipeline.predict import no_such_name\n```": "pipeline.predict has no no_such_name",
    "```python\ndef f(:\n```": "does not match",
    "```yaml\nsearch: {epoch: 3}\n```": "search.epoch",
    "```yaml\n# my.yaml\nrun: {nam: x}\n```\n```sh\nsnakemake --configfile my.yaml\n```": "run.nam",
    '```json\n{"a": }\n```': "Expecting value",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_block_is_found_bad(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.md"
    path.write_text(text)
    assert BAD[text] in "\n".join(faults(read_page(path)))


def test_a_good_command_is_taken_apart(tmp_path: Path) -> None:
    path = tmp_path / "good.md"
    path.write_text(
        "```sh\nnice .venv/bin/snakemake --cores 2 hit_table5 \\\n"
        "    --configfile config/test.yaml --config run='{seed: 3}'   # in seconds\n"
        "(cd x && make test) > log 2>&1\n```\n"
    )
    page = read_page(path)
    assert page.blocks == [Block("sh", page.blocks[0].text, 1)]
    first, *others = commands(page)
    assert [command.words for command in others] == [("cd", "x"), ("make", "test")]
    asked = snakemake_invocation(first)
    assert asked.targets == ("hit_table5",)
    assert asked.files == ("config/test.yaml",)
    assert asked.settings == ("run={seed: 3}",)
