"""The demo's numbers on the pages are those of the run that docs/data holds, and neither changes alone."""

import csv
import json
import re
from copy import deepcopy
from pathlib import Path
from statistics import mean

import pytest
from pages import ROOT

from benchmarks.demo_numbers import (
    DATA,
    QUOTES,
    Quote,
    demo_numbers,
    put_into_pages,
    stored,
    values,
)

DEMO, RANDOM = (json.loads((DATA / name).read_text()) for name in ("demo.json", "hit_random.json"))
CELLS = list(csv.DictReader((DATA / "front_bccd.csv").read_text().splitlines()))
WHOLE = ("README.md", "docs/start/demo.md")
"""Pages on which every number with three decimals is of docs/data."""


@pytest.mark.parametrize("quote", QUOTES, ids=lambda quote: f"{quote.page}: {quote.text[:40]}")
def test_a_page_holds_the_run_s_numbers(quote: Quote) -> None:
    page = (ROOT / quote.page).read_text()
    filled = quote.filled(stored())
    assert page.count(filled) == 1, (
        f"{quote.page} should say once: {filled}\n(python -m benchmarks.demo_numbers writes it there)"
    )


@pytest.mark.parametrize("name", WHOLE)
def test_a_page_about_the_demo_holds_no_other_accuracy(name: str) -> None:
    text = (ROOT / name).read_text()
    quoted = [quote.filled(stored()) for quote in QUOTES if quote.page == name]
    for each in quoted:
        text = text.replace(each, "")
    assert re.findall(r"\b0\.\d{3}\b", text) == []


def test_every_number_of_the_run_that_is_quoted_reaches_a_page(tmp_path: Path) -> None:
    """With other numbers in docs/data each quoted page changes, and with the old ones it is as before."""
    for page in {quote.page for quote in QUOTES}:
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / page).write_text((ROOT / page).read_text())
    assert list(put_into_pages(tmp_path, stored())) == [], "the pages are up to date"
    demo, random = deepcopy(DEMO), deepcopy(RANDOM)
    for detector in demo["detectors"].values():
        detector |= {"AP": detector["AP"] + 0.1, "macs": 2 * detector["macs"]}
    demo["detectors"]["searched"]["AP"] = 0.6784
    demo["minutes"], demo["peak_memory"], demo["front"]["evaluated"] = 41.4, 3 * 2**30, 121
    random |= {"p": 0.51, "gain_low": 0.123}
    changed = list(put_into_pages(tmp_path, values(demo, random, CELLS)))
    assert {line.partition(":")[0] for line in changed} == {quote.page for quote in QUOTES}
    readme = (tmp_path / "README.md").read_text()
    searched = demo["detectors"]["searched"]
    row = f"| {searched['macs'] / 1e6:.0f} | **0.678** | {searched['AP50']:.3f} |"
    assert f"| searched by Hit-Detector {row}" in readme
    assert "it took 41 minutes. Then" in readme and "interval 0.123 to" in readme
    assert "at most 3.0 GiB" in (tmp_path / "docs/start/demo.md").read_text()
    assert "121 subnets" in (tmp_path / "docs/howto/front.md").read_text()
    list(put_into_pages(tmp_path, stored()))
    assert (tmp_path / "README.md").read_text() == (ROOT / "README.md").read_text()


def test_a_page_that_says_it_in_other_words_is_named(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text((ROOT / "README.md").read_text().replace("two cores it", "a machine it"))
    with pytest.raises(ValueError, match=r"README\.md holds this 0 times, not once: 'On two cores"):
        list(put_into_pages(tmp_path, stored()))


def test_the_gain_over_random_networks_is_that_of_the_seeds() -> None:
    gains = [seed["AP"] - seed["random"]["mean"] for seed in RANDOM["seeds"]]
    assert RANDOM["gain"] == pytest.approx(mean(gains), abs=0.0005)
    assert all(seed["random"]["mean"] < seed["random"]["best"] for seed in RANDOM["seeds"])


def test_a_run_that_is_not_finished_makes_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"hit_detector/evaluation/metrics\.json"):
        demo_numbers(tmp_path)
