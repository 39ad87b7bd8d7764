"""Names with any characters: drawings and pages stay well-formed, CSV files hold no formulas."""

import csv
import io
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from synthetic_run import make_run

from pipeline.artifacts.csv_file import csv_bytes
from pipeline.config.evaluation import ReportConfig
from pipeline.report.characters import well_formed
from pipeline.report.page import build_report
from pipeline.report.svg import document, hint, text
from pipeline.report.tables import Column, Table

NAMES = (
    "<b>&\"'",
    "</script><script>alert(1)</script>",
    "=HYPERLINK(1)",
    "+cmd|' /C calc'!A0",
    "-1+2",
    "@SUM(1)",
    "-1.5",
    "bell\x07\x00\x1b[31m\ufffe",
    "\u202eélan 犬 \U0001f600 $x^2$",
    "{{ 7 * 7 }} {% if %} \t\r\n",
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    run = make_run(tmp_path_factory.mktemp("runs") / "run", classes=NAMES)
    return build_report(run, ReportConfig(example_images=4, score_threshold=0.0))


class Tags(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_drawings_are_well_formed_whatever_classes_are_called(files: dict[str, bytes]) -> None:
    drawings = [content for name, content in files.items() if name.endswith(".svg")]
    assert drawings
    for content in drawings:
        tags = {
            element.tag.rpartition("}")[2] for element in ElementTree.fromstring(content).iter()
        }
        assert not tags & {"b", "script"}


def test_the_page_shows_names_as_text(files: dict[str, bytes]) -> None:
    page = files["report.html"].decode()
    read = Tags()
    read.feed(page)
    assert not read.tags & {"script"}
    assert page == well_formed(page)
    for name in NAMES[:7]:
        assert name in read.text
    assert "{{ 7 * 7 }}" in read.text


def test_no_cell_of_a_table_is_a_formula(files: dict[str, bytes]) -> None:
    names = [name for name in files if name.endswith(".csv")]
    assert names
    for name in names:
        for row in csv.reader(io.StringIO(files[name].decode(), newline="")):
            for cell in row:
                assert not cell.startswith(("=", "@", "+", "-")) or float(cell) is not None
    cells = [
        cell
        for name in names
        for row in csv.reader(io.StringIO(files[name].decode(), newline=""))
        for cell in row
    ]
    for name in NAMES[2:6]:
        assert f"'{name}" in cells
    assert "-1.5" in cells and NAMES[0] in cells


ANY = st.text(st.characters(exclude_categories=()), max_size=20)


@given(ANY)
def test_any_text_in_a_drawing_is_read_back(content: str) -> None:
    drawing = document(10, 10, [text(1, 2, content, 3), hint(content)], content)
    root = ElementTree.fromstring(well_formed(drawing))
    shown = root.findall("{http://www.w3.org/2000/svg}text")[0].text or ""
    assert shown == well_formed(content).replace("\r\n", "\n").replace("\r", "\n")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1))
@example(["\uff0b", "\n"])
def test_cells_are_read_back_but_for_an_apostrophe_before_formulas(cells: list[str]) -> None:
    rows = list(csv.reader(io.StringIO(csv_bytes(cells, [cells]).decode(), newline="")))
    for row in rows:
        for cell, name in zip(row, cells, strict=True):
            assert cell in (name, f"'{name}")
            assert cell == name or name[0] in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


def test_numbers_and_ordinary_text_are_as_they_were() -> None:
    columns = (Column("A", "a"), Column("B", "b"), Column("C", "c"))
    rows = [("-0.1042", -3.5, None), ("+1e-3", -7, "a-b"), ("-", "-x", "'=")]
    assert Table("t", columns, rows).csv().decode() == (
        "a,b,c\n-0.1042,-3.5,\n+1e-3,-7,a-b\n'-,'-x,'=\n"
    )


@pytest.mark.parametrize("cell", ["-inf", "+nan", "-1_000", "+٣", "- 1", "-0x10", "=1", "\uff1d1"])
def test_what_is_no_plain_number_is_escaped_or_harmless(cell: str) -> None:
    written = csv_bytes([cell], []).decode().rstrip("\n")
    assert written == (cell if cell in ("-inf", "+nan") else f"'{cell}")
