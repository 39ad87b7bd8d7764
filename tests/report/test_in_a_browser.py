"""The page as Chromium shows it: nothing is asked for, all is drawn, nothing is cut off, links lead on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import Tab, browser, find_browser
from synthetic_joint import BESIDE, add_joint
from synthetic_run import make_run
from test_front_page import embedded_run, find, many_subnets
from test_hostile_text import NAMES
from workflow_project import Project

from pipeline.config.evaluation import ReportConfig
from pipeline.report.front_page import build_front_page
from pipeline.report.page import build_report

PROGRAM = find_browser()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.workflow,
    pytest.mark.xdist_group("workflow"),
    pytest.mark.skipif(
        PROGRAM is None,
        reason="needs Chromium (Debian: apt-get install chromium): no page is tried",
    ),
]

SETTINGS = ReportConfig(example_images=3, score_threshold=0.05)
NARROW, TABLET, WIDE = 390, 900, 1400

CUT_OFF = """[...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect();
  if (!box.width || (box.right <= innerWidth + 1 && box.left >= -1)) return false;
  for (let up = e; up; up = up.parentElement)
    if (['auto', 'scroll'].includes(getComputedStyle(up).overflowX)) return false;
  return true;
}).map(e => e.tagName + ' ' + e.textContent.slice(0, 60))"""
"""Elements beyond the screen that no container scrolls to."""

HIDDEN = """[...document.querySelectorAll('body *')].filter(e =>
  ['hidden', 'clip'].includes(getComputedStyle(e).overflowX) && !e.closest('svg')
  && e.scrollWidth > e.clientWidth + 1).map(e => e.tagName + ' ' + e.textContent.slice(0, 60))"""

UNDRAWN = """[...document.querySelectorAll('figure svg')].filter(e => {
  const box = e.getBoundingClientRect(), drawn = e.getBBox();
  return !(box.width > 60 && box.height > 60 && drawn.width > 20 && drawn.height > 20);
}).map(e => e.getAttribute('aria-label'))"""

OUTSIDE = """[...document.querySelectorAll('figure svg')].flatMap(e => {
  const frame = e.getBoundingClientRect();
  return [...e.querySelectorAll('text')].filter(t => {
    const box = t.getBoundingClientRect();
    return box.width && (box.left < frame.left - 2 || box.right > frame.right + 2
      || box.top < frame.top - 2 || box.bottom > frame.bottom + 2);
  }).map(t => e.getAttribute('aria-label') + ': ' + t.textContent);
})"""
"""Writing that leaves its drawing."""

PALE = """(() => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    for (let up = e; up; up = up.parentElement) {
      const colour = parts(getComputedStyle(up).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
  };
  return [...document.querySelectorAll('body *')].filter(e => !e.closest('svg')
    && e.getClientRects().length
    && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).filter(e => {
    const [a, b] = [light(parts(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) < 4.5;
  }).map(e => e.tagName + ' ' + e.textContent.slice(0, 60));
})()"""
"""Text whose contrast is less than WCAG's 4.5 to 1."""


@dataclass(frozen=True)
class Page:
    """A report as a file, and how many of its figures the page shows."""

    path: Path
    figures: int


@pytest.fixture(scope="module", params=["hit_detector", "both", "retinanet", "hostile", "front"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Of the finished run the page of Hit-Detector and that of both methods; three of made-up runs."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "front":
        run = embedded_run(folder / "run", many_subnets())
        return _written(folder, build_front_page(run, SETTINGS, find(run)), "front.html")
    beside: tuple[str, ...] = ()
    if request.param in ("hit_detector", "both"):
        finished: Project = request.getfixturevalue("finished")
        run = finished.results
        beside = BESIDE if request.param == "both" else ()
    elif request.param == "retinanet":
        run = make_run(folder / "run", family="retinanet")
    else:
        run, beside = make_run(folder / "<b>&\"' run", classes=NAMES), BESIDE
        add_joint(run)
    return _written(folder, build_report(run, SETTINGS, beside), "report.html")


def _written(folder: Path, files: Mapping[str, bytes], name: str) -> Page:
    path = folder / "page.html"
    path.write_bytes(files[name])
    return Page(path, sum(name.startswith("figures/") for name in files))


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    assert PROGRAM is not None
    with browser(PROGRAM, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def test_these_checks_see_what_is_wrong(tab: Tab, tmp_path: Path) -> None:
    """A page with each fault once, so that silence below means something."""
    page = tmp_path / "faults.html"
    page.write_text(
        "<!doctype html><meta name=viewport content='width=device-width'><link rel=icon href='data:,'>"
        "<body style='background:#fff'><p style='color:#aaa'>pale</p>"
        "<div style='width:2000px;height:9px'>wide</div>"
        "<div style='width:50px;overflow:hidden;white-space:nowrap'>hidden behind an edge</div>"
        "<figure><svg width=99 height=99 aria-label='blank'></svg></figure>"
        "<figure><svg width=99 height=99 aria-label='cut'><rect width=99 height=99 fill='none'/>"
        "<text x=90 y=50>leaves</text></svg></figure>"
        "<img src='http://nowhere.invalid/x.png'><script>console.error('told'); undefinedName</script>"
    )
    tab.open(page, NARROW)
    told = " ".join(tab.problems)
    assert "asked for http://nowhere.invalid" in told
    assert "told" in told and "undefinedName" in told
    assert tab.run(CUT_OFF) == ["DIV wide"]
    assert tab.run(HIDDEN) == ["DIV hidden behind an edge"]
    assert tab.run(UNDRAWN) == ["blank"]
    assert tab.run(OUTSIDE) == ["cut: leaves"]
    assert tab.run(PALE) == ["P pale"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_all_is_drawn_and_nothing_is_cut_off(tab: Tab, page: Page, width: int, dark: bool) -> None:
    tab.open(page.path, width, dark=dark)
    assert tab.run("innerWidth") == width, "the page is laid out for a wider screen"
    # folded parts, too
    tab.run("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert tab.run("document.querySelectorAll('figure svg').length") == page.figures > 0
    for fault in (CUT_OFF, HIDDEN, UNDRAWN, OUTSIDE, PALE):
        assert tab.run(fault) == [], fault
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    brightness = tab.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert (int(brightness) < 80) == dark
    assert tab.problems == []


def test_the_table_of_results_needs_no_scrolling_on_a_tablet(tab: Tab, page: Page) -> None:
    tab.open(page.path, TABLET)
    first = "document.querySelector('section .scroll:has(table)')"
    wide = f"(e => e.scrollWidth - e.clientWidth)({first})"
    assert tab.run(wide) <= 0


def test_every_link_leads_to_its_section(tab: Tab, page: Page) -> None:
    tab.open(page.path, WIDE)
    tab.run("document.documentElement.style.scrollBehavior = 'auto'")
    sections = tab.run("[...document.querySelectorAll('section')].map(each => each.id)")
    links = tab.run("[...document.querySelectorAll('a')].map(each => each.getAttribute('href'))")
    assert links == [f"#{section}" for section in sections]
    for number, section in enumerate(sections):
        top, at_end = tab.run(
            f"(document.querySelectorAll('a')[{number}].click(), ["
            f"document.getElementById('{section}').getBoundingClientRect().top,"
            "scrollY + innerHeight >= document.documentElement.scrollHeight - 2])"
        )
        assert abs(top) < 20 or (at_end and 0 < top < 900), section
    assert tab.problems == []


def test_the_scatter_is_walked_through_by_keyboard_and_kinds_are_hidden(
    tab: Tab, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run")
    add_joint(run)
    path = tmp_path / "page.html"
    path.write_bytes(build_report(run, SETTINGS, BESIDE)["report.html"])
    tab.open(path, WIDE)
    tips = "[...document.querySelectorAll('.tip')].filter(each => "
    tips += "getComputedStyle(each).visibility === 'visible').map(each => each.textContent)"
    assert tab.run(tips) == []
    tab.run("document.querySelector('.dot').focus()")
    first = tab.run(tips)
    tab.press("Tab", 9)
    second = tab.run(tips)
    assert len(first) == len(second) == 1 and first != second
    assert re.fullmatch(r"candidate \d\.\d: AP [\d.]+ %, [\d.]+( [kMG])? MACs", first[0])
    visible = "[...document.querySelectorAll('.kind-candidate')].filter(each => "
    visible += "each.getClientRects().length).length"
    before = tab.run(visible)
    tab.run("document.getElementById('show-candidate').focus()")
    tab.press(" ", 32)
    assert before > 5 and tab.run(visible) == 0
    assert tab.run("document.querySelectorAll('.kind-found').length") == 2
