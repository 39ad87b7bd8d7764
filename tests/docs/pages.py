"""The project's Markdown pages as links, headings, sentences, paragraphs, table cells and blocks of code.

Only what these pages use is understood: no HTML but comments, no reference links.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

LONGEST_SENTENCE = 35
"""Words."""
LONGEST_PARAGRAPH = 6 * 100
"""Characters, without those of links' targets."""
LONGEST_CELL = 30
"""Words."""

_FENCE = re.compile(r"^( *)```(\S*)\s*$")
_LINK = re.compile(r"(?<!\\)!?\[([^\]]*)\]\(([^)\s]+)\)")
_CODE = re.compile(r"``.*?``|`[^`]*`", re.DOTALL)
_ITEM = re.compile(r"^ *(?:[-*]|\d+\.) +")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?])[\")*]*\s+(?=\S)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text without the fence's indentation, and its line."""

    language: str
    text: str
    line: int


@dataclass
class Page:
    """What one page holds; every text with its line, counted from 1."""

    path: Path
    headings: list[tuple[int, str]] = field(default_factory=list)
    paragraphs: list[tuple[int, str]] = field(default_factory=list)
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The path from the project's root."""
        return (
            str(self.path.relative_to(ROOT)) if self.path.is_relative_to(ROOT) else str(self.path)
        )

    def links(self) -> Iterator[tuple[int, str]]:
        """The targets of all links and pictures."""
        texts = [*self.headings, *self.paragraphs]
        texts += [(line, cell) for line, row in self.rows for cell in row]
        for line, text in texts:
            for match in _LINK.finditer(_CODE.sub("", text)):
                yield line, match[2]

    def anchors(self) -> set[str]:
        """The anchors of the headings, as GitHub makes them."""
        found: dict[str, int] = {}
        for _, heading in self.headings:
            text = _LINK.sub(r"\1", heading).replace("`", "").strip().lower()
            slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            found[slug] = found.get(slug, -1) + 1
            if found[slug]:
                found[f"{slug}-{found[slug]}"] = 0
        return set(found)


def read_page(path: Path) -> Page:
    """Take a page apart."""
    page = Page(path)
    text = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), path.read_text(encoding="utf-8"))
    paragraph: list[str] = []
    begin = 0

    def end() -> None:
        if paragraph:
            page.paragraphs.append((begin, " ".join(paragraph)))
            paragraph.clear()

    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if fence := _FENCE.match(line):
            end()
            page.blocks.append(_block(fence, number, lines))
        elif line.startswith("#"):
            end()
            page.headings.append((number, line.lstrip("#").strip()))
        elif line.lstrip().startswith("|"):
            end()
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            page.rows.append((number, [cell.strip() for cell in cells]))
        elif not line.strip():
            end()
        else:
            if _ITEM.match(line):
                end()
            if not paragraph:
                begin = number
            paragraph.append(_ITEM.sub("", line).strip())
    end()
    return page


def _block(fence: re.Match[str], number: int, lines: Iterator[tuple[int, str]]) -> Block:
    content: list[str] = []
    for _, line in lines:
        if line.strip() == "```":
            text = "".join(f"{row.removeprefix(fence[1])}\n" for row in content)
            return Block(fence[2], text, number)
        content.append(line)
    raise ValueError(f"the block of line {number} has no end")


def plain(text: str) -> str:
    """What a reader sees: links as their words, no emphasis."""
    return _LINK.sub(r"\1", text).replace("**", "")


def words(text: str) -> int:
    """How many words a reader reads; a piece of code is one."""
    shown = _CODE.sub(" code ", plain(text))
    return sum(bool(re.search(r"\w", token)) for token in shown.split())


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph. A piece of code counts as one word, whatever it holds."""
    shown = _CODE.sub("`code`", plain(text)).replace("et al.", "et al")
    return _SENTENCE_END.split(shown)


def hard_to_read(page: Page) -> list[str]:
    """Sentences, paragraphs and table cells that are too long, with their places."""
    found = []
    for line, text in page.paragraphs:
        for sentence in sentences(text):
            if (count := words(sentence)) > LONGEST_SENTENCE:
                found.append(f"{page.name}:{line}: a sentence of {count} words: {sentence[:60]} …")
        if (length := len(plain(text))) > LONGEST_PARAGRAPH:
            found.append(f"{page.name}:{line}: a paragraph of {length} characters: {text[:60]} …")
    for line, row in page.rows:
        for cell in row:
            if (count := words(cell)) > LONGEST_CELL:
                found.append(f"{page.name}:{line}: a table cell of {count} words: {cell[:60]} …")
    return found


_AP = re.compile(r"\bAP(?:50|75|S|M|L)?\b")
_NOT_A_FRACTION = re.compile(r"\d+\.\d+ ?%|\b\d+(?:\.\d+)? points?\b|\b\d\d\.\d\b(?= AP)")


def other_notations(page: Page) -> list[str]:
    """APs that are not fractions (0.412), as the published files hold them."""
    found = []
    for line, text in page.paragraphs:
        found += [
            f"{page.name}:{line}: AP is a fraction here, as 0.412: {sentence[:70]} …"
            for sentence in sentences(text)
            if _AP.search(sentence) and _NOT_A_FRACTION.search(sentence)
        ]
    columns: list[int] = []
    before = 0
    for line, row in page.rows:
        if line != before + 1:
            columns = [n for n, cell in enumerate(row) if _AP.match(plain(cell))]
        before = line
        for column in columns:
            value = plain(row[column]) if column < len(row) else ""
            if re.match(r"-?\d+\.\d", value) and abs(float(value.split()[0].rstrip("%,"))) > 1:
                found.append(f"{page.name}:{line}: AP is a fraction here, as 0.412: {value}")
    return found


def broken_links(page: Page) -> list[str]:
    """Relative links to no file, and anchors that no heading has."""
    found = []
    for line, target in page.links():
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.path.parent / name).resolve() if name else page.path
        if not path.exists():
            found.append(f"{page.name}:{line}: no such file: {target}")
        elif anchor and anchor not in read_page(path).anchors():
            found.append(f"{page.name}:{line}: no such heading: {target}")
    return found


def all_pages() -> list[Page]:
    """README, CONTRIBUTING, and the pages of config/ and docs/."""
    paths = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "config/README.md"]
    return [read_page(path) for path in [*paths, *sorted((ROOT / "docs").rglob("*.md"))]]
