"""Any file that resembles COCO's is refused by sentences, or every object of it is trained on."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hotcoco import COCO
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO as Reference
from torchvision.datasets import ImageFolder

from pipeline.artifacts.files import read_json
from pipeline.config.data import CocoDetection, CropsClassification
from pipeline.config.detector import DetectorConfig
from pipeline.data.coco import CocoSummary
from pipeline.data.crops import write_crops
from pipeline.data.dataset_demands import detection_defects
from pipeline.data.defects import DatasetError, Defect
from pipeline.data.demands import Batch, Counts, Demands
from pipeline.data.images import load_pil_image
from pipeline.data.index import DatasetIndex
from pipeline.data.prepare import prepare_detection
from pipeline.detection.dataset import build_dataset
from pipeline.detection.evaluation import coco_metrics
from pipeline.detection.seen_objects import compare_with_training, seen_objects

pytestmark = pytest.mark.slow

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.just(10**30),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=4),
    st.just([]),
    st.just({"a": [math.nan]}),
)
HEAD = st.dictionaries(
    st.sampled_from(["info", "licenses", "type", "videos", "\ud800", "contributor"]),
    st.one_of(
        ODD,
        st.lists(ODD, max_size=2),
        st.dictionaries(st.sampled_from(["year", "version", "date_created"]), ODD),
    ),
    max_size=4,
)
SIDE = st.one_of(st.integers(1, 12), st.floats(1, 12), st.just(1))
START = st.one_of(st.integers(0, 20), st.floats(0, 20), st.just(-1))
SOUND_BOX = st.tuples(START, START, SIDE, SIDE).map(list)
ODD_BOX = st.one_of(
    ODD,
    st.lists(st.one_of(ODD, st.integers(0, 9)), min_size=4, max_size=4),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
    st.tuples(START, START, st.floats(0, 2), st.floats(0, 2)).map(list),
    st.just([-1, 4, 1, 5]),
    st.just([39, 29, 2, 2]),
    st.just([10, 10, 35, 25]),
)
FLAG = st.sampled_from([0, 1, False, True, None, 0.0])
SEGMENTATION = st.sampled_from(
    [[], [[1, 1, 9, 1, 9, 9]], [1, 1, 9, 1, 9, 9], None, {"counts": "x", "size": [1]}, "", {}, 0]
)
AREA = st.one_of(st.none(), st.just(0), st.just(0.0), st.integers(1, 10**6), st.floats(0.1, 1e6))


@st.composite
def annotations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Annotations most of which are sound in most files, so that many files are accepted."""
    oddness = draw(st.sampled_from([0, 0, 1]))
    entries: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 6))):
        odd = oddness and draw(st.booleans())
        entry: dict[str, Any] = {
            "id": number * 3,
            "image_id": draw(st.integers(0, 2)),
            "category_id": draw(st.sampled_from([3, 7])),
            "bbox": draw(ODD_BOX if odd else SOUND_BOX),
        }
        for key, values in (
            ("area", ODD if odd else AREA),
            ("iscrowd", FLAG),
            ("ignore", FLAG),
            ("segmentation", SEGMENTATION),
            ("attributes", ODD),
            ("score", ODD),
        ):
            if draw(st.booleans()):
                entry[key] = draw(values)
        entries.append(entry)
    return entries


def content(
    head: dict[str, Any],
    entries: list[dict[str, Any]],
    date: Any,
    listed: Sequence[Any] = ({"id": 7, "name": "ü dog"}, {"id": 3, "name": "cat"}),
) -> dict[str, Any]:
    """A COCO file with this head, these annotations and these categories."""
    images = [
        {"id": n, "file_name": f"{n}.png", "width": 40, "height": 30.0, "date_captured": date}
        for n in range(3)
    ]
    return head | {"images": images, "annotations": entries, "categories": list(listed)}


@st.composite
def categories(draw: st.DrawFn) -> list[Any]:
    """A class list: most are sound; some lack an id, repeat one, or have odd names."""
    listed: list[Any] = [{"id": 7, "name": "ü dog"}, {"id": 3, "name": "cat"}]
    for entry in listed:
        if draw(st.booleans()):
            entry["supercategory"] = draw(ODD)
    match draw(st.sampled_from(["sound"] * 6 + ["further", "name", "id", "entry", "gone"])):
        case "further":
            listed.append({"id": draw(st.integers(0, 9)), "name": draw(st.text(max_size=3))})
        case "name":
            listed[0]["name"] = draw(ODD)
        case "id":
            listed[1]["id"] = draw(ODD)
        case "entry":
            listed.append(draw(ODD))
        case "gone":
            listed.pop()
    return listed


CHECKS: Any = list(HealthCheck)
ASKED = Demands(
    batches=(Batch(key="x.batch_size", images=1, of="half"),),
    scales={"detector.image_scale": (40, 30)},
    crops=CropsClassification(smallest=1, image_size=16),
)
"""What is counted of every file, sound or not, while it is checked."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images in a folder for each split."""
    folder = tmp_path_factory.mktemp("images")
    for split in ("train", "val"):
        (folder / split).mkdir()
        for number in range(3):
            Image.new("RGB", (40, 30)).save(folder / split / f"{number}.png")
    return folder


def of_one_file(file: Path, images: Path) -> CocoDetection:
    """Two splits with the same annotations."""
    splits = {
        split: {"annotations": str(file), "images": str(images / split)}
        for split in ("train", "val")
    }
    return CocoDetection.model_validate(splits)


@settings(deadline=None, suppress_health_check=CHECKS)
@given(
    head=HEAD,
    entries=annotations(),
    listed=categories(),
    date=ODD,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
)
def test_every_object_is_trained_on_or_the_file_is_refused(
    images: Path, tmp_path_factory: pytest.TempPathFactory, head, entries, listed, date, encoding
):
    folder = tmp_path_factory.mktemp("own")
    file = folder / "own.json"
    # numbers that JSON lacks, as Python's tools write them
    file.write_bytes(json.dumps(content(head, entries, date, listed)).encode(encoding))
    config = of_one_file(file, images)
    out = folder / "out"
    out.mkdir()
    counted: list[Counts] = []

    def further(summaries: Mapping[str, CocoSummary]) -> list[Defect]:
        counted.append(detection_defects(ASKED, summaries, file)[1])
        return []

    try:
        prepare_detection(config, out, further)
    except DatasetError as error:
        assert error.defects and all(defect.detail for defect in error.defects)
        assert not list(out.iterdir())
        return
    index = DatasetIndex.load(out / "dataset.json")
    paths = index.split("train")
    expected = {
        name: sum(
            entry["category_id"] == number and not entry.get("iscrowd") and not entry.get("ignore")
            for entry in entries
        )
        for number, name in ((entry["id"], entry["name"]) for entry in listed)
    }
    compare_with_training({"train": paths}, index.classes)
    trained = seen_objects(paths, index.classes)
    with redirect_stdout(io.StringIO()):
        readers = Reference(str(paths.annotations)), COCO(str(paths.annotations))
    reference, ours = readers
    for name, count in expected.items():
        numbers = reference.getCatIds(catNms=[name])
        assert len(reference.getAnnIds(catIds=numbers, iscrowd=False)) == count
        assert (
            len(ours.get_ann_ids(cat_ids=ours.get_cat_ids(cat_nms=[name]), iscrowd=False)) == count
        )
        assert sum(found for (_, other), found in trained.items() if other == name) == count
    assert index.statistics["train"]["objects"] == sum(expected.values())
    everything_after_the_check_reads(index, counted[0], folder)


def everything_after_the_check_reads(index: DatasetIndex, there: Counts, folder: Path) -> None:
    """The loaders of trainings and validation, the crops and the evaluator take the dataset."""
    detector = DetectorConfig(image_scale=(40, 30))
    trained, validated = (
        build_dataset(split, list(index.classes), detector, train=train)
        for split, train in ((index.split("train"), True), (index.split("val"), False))
    )
    assert (len(trained), len(validated)) == (there.with_boxes, there.listed)
    boxes = sum(len(trained[n]["data_samples"].gt_instances) for n in range(len(trained)))
    assert boxes == index.statistics["train"]["objects"]
    assert {item["inputs"].shape for item in (validated[0], validated[2])} == {(3, 30, 40)}
    truth = read_json(index.split("val").annotations)["annotations"]
    perfect = [
        {key: entry[key] for key in ("image_id", "category_id", "bbox")} | {"score": 0.9}
        for entry in truth
        if not entry["iscrowd"]
    ]
    metrics = coco_metrics(index.split("val").annotations, perfect)
    assert metrics["AR100"] is not None and metrics["AR100"] > 0.99
    (folder / "crops").mkdir()
    try:
        write_crops(ASKED.crops or CropsClassification(), index, folder / "crops")
    except DatasetError:
        return  # one class, which cannot be told apart
    crops = ImageFolder(str(folder / "crops" / "train"), loader=load_pil_image)
    assert len(crops) == there.classification
    assert all(min(crops[n][0].size) == 16 for n in range(len(crops)))


def test_the_head_changes_no_byte_of_the_normal_form(images: Path, tmp_path: Path):
    entry = {"id": 1, "image_id": 0, "category_id": 3, "bbox": [1, 2, 3.5, 4], "area": None}
    written = []
    for number, (head, date) in enumerate(
        [({}, None), ({"info": {"year": "2024"}, "licenses": None}, math.nan)]
    ):
        file, out = tmp_path / f"{number}.json", tmp_path / f"out{number}"
        file.write_text(json.dumps(content(head, [entry], date)))
        out.mkdir()
        prepare_detection(of_one_file(file, images), out)
        written.append((out / "annotations/train.json").read_bytes())
    assert written[0] == written[1]
    assert json.loads(written[0])["annotations"] == [
        {
            "id": 1,
            "image_id": 0,
            "category_id": 3,
            "bbox": [1, 2, 3.5, 4],
            "area": 14.0,
            "iscrowd": 0,
        }
    ]
