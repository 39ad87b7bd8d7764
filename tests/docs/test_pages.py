"""The pages of docs/, README, CONTRIBUTING and config/README: links, headings, reading ease, one notation."""

import re
import subprocess
from pathlib import Path

import pytest
from pages import (
    ROOT,
    all_pages,
    broken_links,
    hard_to_read,
    other_notations,
    read_page,
    sentences,
    words,
)

PAGES = {page.name: page for page in all_pages()}

BAD_PAGE = """\
# A page

A [link](no_such.md), one to [nowhere](#nowhere), and one to [itself](#a-page) on [the web](https://x.org/y).

{long_sentence}

- {long_paragraph}

| one | AP |
|---|---|
| {long_cell} | 41.2 |

The AP was 41.2 %, so 2.1 points of AP more than 0.391.
"""


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    assert broken_links(PAGES[name]) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_easy_to_read(name: str) -> None:
    assert hard_to_read(PAGES[name]) == []


@pytest.mark.parametrize("name", PAGES)
def test_ap_is_a_fraction_everywhere(name: str) -> None:
    assert other_notations(PAGES[name]) == []


def test_readme_fits_on_two_screens() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_every_page_of_the_tree_is_in_the_index() -> None:
    index = PAGES["docs/index.md"]
    listed = {
        (index.path.parent / target.partition("#")[0]).resolve() for _, target in index.links()
    }
    pages = {page.path.resolve() for name, page in PAGES.items() if name.startswith("docs/")}
    assert pages - listed - {index.path.resolve()} == set()


def test_pages_that_code_and_comments_name_are_there() -> None:
    listed = subprocess.run(
        ["git", "grep", "-noE", r"docs/[a-z_/]+\.md"],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        check=False,
    ).stdout.splitlines()
    assert len(listed) > 20
    missing = [line for line in listed if not (ROOT / line.rpartition(":")[2]).is_file()]
    assert missing == []


def test_a_bad_page_is_found_bad(tmp_path: Path) -> None:
    path = tmp_path / "bad.md"
    path.write_text(
        BAD_PAGE.format(
            long_sentence="word " * 35 + "end.",
            long_paragraph="A few words here. " * 34,
            long_cell="word " * 31,
        )
    )
    page = read_page(path)
    assert [re.sub(r".*?:(\d+): ", r"\1 ", found) for found in broken_links(page)] == [
        "3 no such file: no_such.md",
        "3 no such heading: #nowhere",
    ]
    hard = hard_to_read(page)
    assert [int(found.split(":")[1]) for found in hard] == [5, 7, 11]
    assert "36 words" in hard[0]
    assert "paragraph of 611" in hard[1]
    assert "cell of 31" in hard[2]
    assert [int(found.split(":")[1]) for found in other_notations(page)] == [13, 11]


def test_sentences_and_words_are_counted_as_a_reader_does() -> None:
    text = "See [the page of that](x/y.md). It takes `a b. c` of Yao et al. 2021, 1.5 times! **Bold.** End"
    assert sentences(text) == [
        "See the page of that.",
        "It takes `code` of Yao et al 2021, 1.5 times!",
        "Bold.",
        "End",
    ]
    assert words("It takes `a b c`, [two words](target) – and **one**.") == 7


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# What is `run.seed`?\n## 8. A stage, with its rule\n## Twice\n## Twice\n")
    anchors = {"what-is-runseed", "8-a-stage-with-its-rule", "twice", "twice-1"}
    assert read_page(path).anchors() == anchors
