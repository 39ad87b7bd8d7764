"""The whole page, on a run with plausible numbers."""

import csv
import io
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from synthetic_run import NUMBERS, STAGES, make_run

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import read_json, write_json
from pipeline.config.evaluation import ReportConfig
from pipeline.report.accuracy import accuracy_section
from pipeline.report.architecture import architecture_section
from pipeline.report.curves import search_section, training_section
from pipeline.report.detections import detections_section
from pipeline.report.heatmaps import heatmaps_section
from pipeline.report.inputs import Run
from pipeline.report.page import build_report
from pipeline.report.records import mixed_versions, reproducibility_section
from pipeline.report.screening import screening_section
from pipeline.report.section import Section
from pipeline.report.summary import summary_section

SETTINGS = ReportConfig(example_images=3, score_threshold=0.3)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "small & <quick>")


@pytest.fixture(scope="module")
def files(run: Path) -> dict[str, bytes]:
    return build_report(run, SETTINGS)


class Collector(HTMLParser):
    """Everything in a page that could load something, and all ids and references to them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.anchors: set[str] = set()
        self.sections: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if (tag, name) == ("input", "checked"):
                continue
            assert value is not None, (tag, name)
            assert not name.startswith("on"), (tag, name)
            if name == "id":
                self.ids.append(value)
                if tag == "section":
                    self.sections.append(value)
            if name in ("src", "href", "xlink:href", "srcset", "data", "action"):
                (self.anchors.add if value.startswith("#") else self.loads.append)(value)
            self.anchors |= set(re.findall(r"url\((#[^)]*)\)", value))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def page(files: dict[str, bytes]) -> Collector:
    collector = Collector()
    collector.feed(files["report.html"].decode())
    return collector


def test_the_page_loads_nothing_and_its_references_resolve(
    files: dict[str, bytes], page: Collector
) -> None:
    text = files["report.html"].decode()
    assert not page.tags & {"script", "iframe", "object", "embed", "base"}
    assert all(value.startswith("data:") for value in page.loads)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert len(page.ids) == len(set(page.ids))
    assert {anchor[1:] for anchor in page.anchors} <= set(page.ids)
    assert len(text) < 3_000_000


def test_sections_come_in_order_and_the_name_is_escaped(
    files: dict[str, bytes], page: Collector
) -> None:
    names = "answer summary detections accuracy cost architecture probabilities screening curves"
    assert page.sections == [*names.split(), "training", "time", "data", "reproducibility"]
    assert b"<h1>small &amp; &lt;quick&gt;</h1>" in files["report.html"]


def test_same_run_same_bytes_wherever_it_lies(
    run: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    copy = shutil.copytree(run, tmp_path / "elsewhere" / run.name)
    again = build_report(copy, SETTINGS)
    assert again == files


def test_every_figure_is_a_well_formed_file_with_text_as_text(files: dict[str, bytes]) -> None:
    figures = {name: content for name, content in files.items() if name.startswith("figures/")}
    expected = {
        *(f"{kind}_{part}" for kind in ("probabilities", "screening", "candidates")
          for part in ("backbone", "neck", "head")),
        *(f"detections_{number:06d}" for number in (1, 2, 3)),
        *("search_loss", "search_gradients", "search_entropy", "search_cost"),
        *("detector_training", "pretraining", "architecture"),
    }  # fmt: skip
    assert {Path(name).stem for name in figures} == expected
    for name, content in figures.items():
        root = ElementTree.fromstring(content)
        assert root.get("viewBox"), name
        if "detections" not in name:
            assert list(root.iter("{http://www.w3.org/2000/svg}text")), name


def test_numbers_of_the_run_are_in_the_page_and_in_the_tables(
    files: dict[str, bytes], page: Collector
) -> None:
    def table(name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(files[f"tables/{name}.csv"].decode())))

    text = " ".join(page.text)
    seconds = sum(seconds for *_, seconds in STAGES)
    minutes, rest = divmod(round(seconds), 60)
    assert f"{minutes} min {rest} s" in text
    # 412345 + 98765 + 22000 + 311000 parameters, 104.3 million MACs, 0.0312 s
    for shown in ("21.3 %", "42.1 %", "844 k", "104 M", "31 ms", "at 128 × 128 px, 100 proposals"):
        assert shown in text
    assert "λ = 0.01 per GMAC" in text
    assert {row["metric"]: row["value"] for row in table("accuracy")} == {
        name: "" if value is None else str(value) for name, value in NUMBERS.items()
    }
    assert table("cost")[-1] == {
        "component": "total", "params": "844110", "macs": "104300000", "paper_flops": "112644000"
    }  # fmt: skip
    stages = [row["folder"] for row in table("time")]
    assert sorted(stages[:-1]) == sorted(name for name, *_ in STAGES)
    for folder, _, inputs, _ in STAGES:
        assert all(stages.index(name) < stages.index(folder) for name in inputs)
    assert sum(float(row["wall_seconds"]) for row in table("time")[:-1]) == pytest.approx(seconds)
    assert len(table("probabilities")) == 4 * (5 + 8 + 2)
    assert sum(row["kept"] == "True" for row in table("screening")) == 3 * 4
    assert len(table("screening")) == 3 * 32


@pytest.mark.parametrize(
    ("section", "name"),
    [
        (summary_section, "data/classification/manifest.json"),
        (summary_section, "hit_detector/manifest.json"),
        (summary_section, "hit_detector/evaluation/speed.json"),
        (detections_section, "data/detection/dataset.json"),
        (detections_section, "data/detection/annotations/val.json"),
        (detections_section, "data/detection/images/val/000002.png"),
        (detections_section, "hit_detector/evaluation/detections.json"),
        (architecture_section, "hit_detector/detector/architecture.json"),
        (heatmaps_section, "hit_detector/search/scores.json"),
        (screening_section, "hit_detector/screening/neck/sub_search_space.json"),
        (training_section, "hit_detector/pretraining/metrics.json"),
    ],
)
def test_a_file_that_is_missing_is_named(
    run: Path, tmp_path: Path, section: Callable[[Run, ReportConfig], Section], name: str
) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / name).unlink()
    with pytest.raises(ArtifactError, match=re.escape(name)):
        section(Run(copy), SETTINGS)


def test_the_page_says_what_lambda_is_per(run: Path) -> None:
    opened = Run(run)
    assert opened.weighed == "GMAC"
    opened.manifests["hit_detector/search"].config["search"]["cost"] = "latency"
    for section in (search_section, reproducibility_section):
        assert "0.01 per millisecond" in section(opened, SETTINGS).html


def test_a_key_that_is_missing_is_named(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    path = copy / "hit_detector" / "evaluation" / "metrics.json"
    metrics = read_json(path)
    del metrics["AP75"]
    metrics["components"]["neck"].pop("macs")
    write_json(path, metrics)
    with pytest.raises(ArtifactError, match=r"metrics\.json.*AP75.*components\.neck\.macs"):
        accuracy_section(Run(copy), SETTINGS)


def test_classes_from_one_to_many(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    path = copy / "hit_detector" / "evaluation" / "metrics.json"
    for count in (1, 20, 21, 80):
        metrics = read_json(path)
        metrics["AP_per_class"] = {f"class <{n}>": n / 100 for n in range(count)}
        write_json(path, metrics)
        section = accuracy_section(Run(copy), SETTINGS)
        assert section.html.count("class &lt;") == count
        assert ("<details>" in section.html) == (count > 20)
        (classes,) = [table for table in section.tables if table.name == "accuracy_per_class"]
        assert len(classes.rows) == count


def test_an_input_made_anew_since_is_mentioned(run: Path, tmp_path: Path) -> None:
    assert mixed_versions(Run(run)) == []
    copy = shutil.copytree(run, tmp_path / "run")
    other = make_run(tmp_path / "other", iterations=120)
    # another stage's manifest in the place of the search's has another version
    source = other / "hit_detector" / "supernet" / "manifest.json"
    shutil.copy(source, copy / "hit_detector" / "search" / "manifest.json")
    (sentence,) = mixed_versions(Run(copy))
    assert sentence.startswith("hit_detector was made from another version of hit_detector/search")


def test_a_run_without_pretraining_says_so(tmp_path: Path) -> None:
    bare = make_run(tmp_path / "bare", pretrained=False)
    files = build_report(bare, SETTINGS)
    assert "every network started from its initialisation" in files["report.html"].decode()
    assert "figures/detector_training.svg" in files and "figures/pretraining.svg" not in files


def test_a_test_split_is_what_the_page_shows(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "data/detection/dataset.json"
    index = read_json(path)
    # the splits change places: what is drawn shows which is read
    index["splits"]["test"] = index["splits"]["train"]
    write_json(path, index)
    page = build_report(tmp_path / "run", SETTINGS)["report.html"].decode()
    assert "The first 3 test images by id" in page and "6 test images" in page
    assert "validation images" not in page
