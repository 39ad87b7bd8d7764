"""The page of a front alone: its sections, whose detections it draws, and what it does without."""

import csv
import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from made_up_metrics import manifest
from synthetic_run import make_run
from test_front_section import made
from test_hostile_text import NAMES
from test_report_page import Collector

from pipeline.artifacts.files import read_json, write_json
from pipeline.artifacts.manifest import Input, Manifest
from pipeline.config.data import EmbeddedDetection
from pipeline.config.evaluation import ReportConfig
from pipeline.data.prepare import prepare_detection
from pipeline.deploy.latency import summary
from pipeline.front.table import Front, Row, compared
from pipeline.report.characters import well_formed
from pipeline.report.front_page import build_front_page

SETTINGS = ReportConfig(example_images=2, score_threshold=0.2)
SVG = "{http://www.w3.org/2000/svg}"
STAGES: dict[str, tuple[str, ...]] = {
    "data/detection": (),
    "joint_detnas/base/detector": ("data/detection",),
    "joint_detnas/teacher_pool/phase_0": ("data/detection", "joint_detnas/base/detector"),
    "baselines/r18/pretraining": ("data/detection",),
    "baselines/r18/detector": ("data/detection", "baselines/r18/pretraining"),
    "front/predictor": ("data/detection", "joint_detnas/teacher_pool/phase_0"),
    "front/generation_0": ("joint_detnas/teacher_pool/phase_0",),
    "front": ("front/generation_0", "front/predictor", "baselines/r18/detector"),
}
"""The stages of a front beside which a baseline stands, and what each was made from."""


class Finder:
    """Finds one box of the first class on every image, with a score that is the detector's AP on val."""

    def __init__(self, category: int) -> None:
        self.category = category
        self.asked: dict[str, set[int]] = {}

    def __call__(self, row: Row, images: Collection[int]) -> list[dict[str, Any]]:
        self.asked[row.name] = set(images)
        box = {"category_id": self.category, "bbox": [1.0, 2.0, 30.0, 20.0], "score": row.val.ap}
        return [{"image_id": image, **box} for image in images]


def add_front(run: Path, stages: Mapping[str, tuple[str, ...]], front: Front) -> None:
    """Write `front.json`, and the manifests of stages that are not there yet."""
    write_json(run / "front/front.json", front.model_dump(mode="json"))
    for number, (folder, inputs) in enumerate(stages.items()):
        path = run / folder / "manifest.json"
        if path.exists():
            continue
        read = {
            name.replace("/", "_"): Input(
                path=f"{name}/manifest.json",
                version=Manifest.load(run / name / "manifest.json").version,
            )
            for name in inputs
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        one = manifest(float(2**number)).model_copy(update={"inputs": read})
        path.write_bytes(one.content())


def embedded_run(run: Path, front: Front, *, test_images: int = 3) -> Path:
    """A run with data and a front, and no Hit-Detector."""
    data = run / "data/detection"
    data.mkdir(parents=True)
    settings = EmbeddedDetection(
        image_size=64, object_size=(12, 40), train_images=10, val_images=4, test_images=test_images
    )
    prepare_detection(settings, data)
    add_front(run, STAGES, front)
    return run


def find(run: Path) -> Finder:
    truth = read_json(run / "data/detection/annotations/val.json")
    return Finder(truth["categories"][0]["id"])


def rows(files: Mapping[str, bytes], table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(files[f"tables/{table}.csv"].decode())))


def headings(files: Mapping[str, bytes]) -> list[str | None]:
    root = ElementTree.fromstring(files["figures/detections.svg"])
    return [item.text for item in root.findall(f"{SVG}text")]


def many_subnets() -> Front:
    """Twelve subnets of nearly the same cost, all of which dominate the base."""
    front = made(timed=True)
    one, base = front.find("s0"), front.find("base")
    rows = [
        one.model_copy(
            update={
                "name": f"subnet_{number}",
                "val": one.val.model_copy(update={"ap": 0.5 + number / 100}),
                "test": one.val.model_copy(update={"ap": 0.5 + number / 100}),
                "latency": summary(f"subnet_{number}", [(4 + number / 20) / 1e3] * 3),
            }
        )
        for number in range(12)
    ]
    return front.model_copy(update={"rows": compared([*rows, base, front.find("<upgrade>")])})


def without_stock(front: Front) -> Front:
    subnets = [row for row in front.rows if row.kind == "subnet"]
    return front.model_copy(
        update={"rows": tuple(row.model_copy(update={"dominated_by": ()}) for row in subnets)}
    )


def test_the_page_needs_no_hit_detector_loads_nothing_and_has_its_sections_in_order(
    tmp_path: Path,
) -> None:
    run = embedded_run(tmp_path / "small & <quick>", made(timed=True))
    files = build_front_page(run, SETTINGS, find(run))
    text = files["front.html"].decode()
    page = Collector()
    page.feed(text)
    assert page.sections == ["front", "detections", "time", "data", "reproducibility"]
    assert "<h1>small &amp; &lt;quick&gt;</h1>" in text
    assert "<title>small &amp; &lt;quick&gt;: front</title>" in text
    assert not page.tags & {"script", "iframe", "object", "embed", "base"}
    assert all(value.startswith("data:") for value in page.loads)
    assert len(page.ids) == len(set(page.ids))
    assert {anchor[1:] for anchor in page.anchors} <= set(page.ids)
    tables = ("front", "detections", "time", "time_parts", "data", "reproducibility", "settings")
    drawings = ("figures/front.svg", "figures/detections.svg")
    assert set(files) == {"front.html", *drawings, *(f"tables/{name}.csv" for name in tables)}
    for name in drawings:
        assert ElementTree.fromstring(files[name]).get("viewBox")
    assert "2 test images" in text and "9 subnets of the teacher pool" in text

    told = {row["name"]: row["value"] for row in rows(files, "reproducibility")}
    assert told["version of the front"] == Manifest.load(run / "front/manifest.json").version
    assert not [name for name in told if name.startswith(("λ", "μ", "regulariser", "strategy"))]
    times = {row["part"]: float(row["wall_seconds"]) for row in rows(files, "time_parts")}
    # 2 ** the place of each stage
    assert times == {
        "data": 1,
        "Joint-DetNAS: base detector": 2,
        "Joint-DetNAS: teacher pool": 4,
        "baselines, trained alone": 8 + 16,
        "front": 32 + 64 + 128,
        "total": 255,
    }


def test_the_columns_are_the_fastest_the_best_and_the_best_trained_alone(tmp_path: Path) -> None:
    # AP on val puts them into another order than AP on test
    front = made(timed=True)
    swapped = {"s0": 0.3, "s1": 0.25, "<upgrade>": 0.35, "base": 0.41}
    extra = front.find("s1").model_copy(update={"name": "s2", "dominated_by": ()})
    changed = [
        row.model_copy(
            update={"val": row.val.model_copy(update={"ap": swapped.get(row.name, 0.5)})}
        )
        for row in (*front.rows[:1], extra, *front.rows[1:])
    ]
    front = front.model_copy(update={"rows": tuple(changed)})
    run = embedded_run(tmp_path / "run", front)
    finder = find(run)
    files = build_front_page(run, SETTINGS, finder)
    expected = ["ground truth", "fastest: s0", "best: s2", "trained alone: base"]
    assert headings(files) == expected
    images = {
        image["id"] for image in read_json(run / "data/detection/annotations/test.json")["images"]
    }
    assert finder.asked.keys() == {"s0", "s2", "base"}
    (asked,) = {frozenset(each) for each in finder.asked.values()}
    assert len(asked) == 2 and asked < images
    found = [row for row in rows(files, "detections") if row["score"]]
    assert [(row["model"], row["score"]) for row in found] == 2 * [
        ("fastest: s0", "0.3"),
        ("best: s2", "0.5"),
        ("trained alone: base", "0.41"),
    ]
    assert {row["width"] for row in found} == {"30.0"}


def test_one_subnet_may_be_both_and_nothing_need_be_trained_alone(tmp_path: Path) -> None:
    front = without_stock(made(timed=True))
    front = front.model_copy(update={"rows": front.rows[:1]})
    run = embedded_run(tmp_path / "run", front)
    files = build_front_page(run, SETTINGS, find(run))
    assert headings(files) == ["ground truth", "fastest and best: s0"]
    # its score is below the threshold
    assert {row["model"] for row in rows(files, "detections")} == {"ground truth"}


def test_without_a_test_split_and_without_times(tmp_path: Path) -> None:
    front = made(timed=False)
    bare = [row.model_copy(update={"test": None}) for row in front.rows]
    front = front.model_copy(update={"rows": tuple(bare), "split": "val", "predictor_error": None})
    run = embedded_run(tmp_path / "run", front, test_images=0)
    files = build_front_page(run, SETTINGS, find(run))
    expected = ["ground truth", "fewest MACs: s0", "best: s1", "trained alone: <upgrade>"]
    assert headings(files) == expected
    page = files["front.html"].decode()
    assert "2 validation images" in page and "trained alone: &lt;upgrade&gt;" in page


@pytest.mark.parametrize("classes", [NAMES, NAMES[:1]], ids=["many", "one"])
def test_classes_of_any_name_stand_as_text(tmp_path: Path, classes: tuple[str, ...]) -> None:
    run = embedded_run(tmp_path / "run", made(timed=True))
    index = read_json(run / "data/detection/dataset.json")
    index["classes"] = list(classes)
    write_json(run / "data/detection/dataset.json", index)
    path = run / "data/detection/annotations/test.json"
    truth = read_json(path)
    truth["categories"] = [{"id": n, "name": name} for n, name in enumerate(classes)]
    for number, annotation in enumerate(truth["annotations"]):
        annotation["category_id"] = number % len(classes)
    write_json(path, truth)
    files = build_front_page(run, SETTINGS, Finder(0))
    text = files["front.html"].decode()
    page = Collector()
    page.feed(text)
    assert text == well_formed(text) and not page.tags & {"script"}
    assert any(classes[0] in part for part in page.text)
    shown = "1 class" if len(classes) == 1 else f"{len(classes)} classes"
    assert f"with {shown}." in text
    for name in ("figures/front.svg", "figures/detections.svg"):
        tags = {item.tag.rpartition("}")[2] for item in ElementTree.fromstring(files[name]).iter()}
        assert not tags & {"b", "script"}
    assert {row["class"] for row in rows(files, "detections") if row["score"]} == {classes[0]}


def test_a_searched_detector_beside_the_front_brings_what_its_search_was_told(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "run")
    front = made(timed=True)
    bare = [row.model_copy(update={"test": None}) for row in front.rows]
    stages = STAGES | {"front": (*STAGES["front"], "hit_detector/detector")}
    add_front(run, stages, front.model_copy(update={"rows": tuple(bare), "split": "val"}))
    files = build_front_page(run, SETTINGS, find(run))
    told = {row["name"]: row["value"] for row in rows(files, "reproducibility")}
    assert told["λ, weight of the cost in the search"] == "0.01 per GMAC"
    assert told["μ, weight of the regulariser in screening"] == "0.1"
    # a page of the front shows nothing of an evaluation that it does not descend from
    assert "hit_detector/evaluation" not in {row["folder"] for row in rows(files, "time")}


def test_of_many_that_dominate_the_page_names_three_and_the_file_all(tmp_path: Path) -> None:
    names = tuple(f"s{number}" for number in range(5))
    front = made(timed=True)
    several = [
        row.model_copy(update={"dominated_by": names if row.name == "base" else row.dominated_by})
        for row in front.rows
    ]
    run = embedded_run(tmp_path / "run", front.model_copy(update={"rows": tuple(several)}))
    files = build_front_page(run, SETTINGS, find(run))
    page = files["front.html"].decode()
    assert ">s0, s1, s2 and 2 more</td>" in page
    assert ", dominated by s0, s1, s2 and 2 more" in files["figures/front.svg"].decode()
    (base,) = [row for row in rows(files, "front") if row["name"] == "base"]
    assert base["dominated_by"] == "s0, s1, s2, s3, s4"
