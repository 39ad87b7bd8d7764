"""The embedded dataset's third split: its own digits and photographs, and val as it was without it."""

import hashlib
import json
from pathlib import Path

import pytest

from pipeline.config.data import EmbeddedDetection
from pipeline.data import embedded
from pipeline.data.defects import DatasetError
from pipeline.data.embedded import write_detection
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.data.prepare import prepare_detection

WITHOUT = EmbeddedDetection(train_images=12, val_images=40, image_size=64, object_size=(12, 40))
WITH = WITHOUT.model_copy(update={"test_images": 40})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("detection")
    prepare_detection(WITH, folder)
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != FILE_NAME
    }


def test_train_and_val_are_the_same_bytes_with_and_without_it(prepared, tmp_path):
    write_detection(WITHOUT, tmp_path)
    without, with_test = digests(tmp_path), digests(prepared)
    assert without.items() <= with_test.items()
    assert all("test" in name for name in with_test.keys() - without.keys())
    assert len(with_test) == len(without) + 41


def test_it_shares_no_digit_and_no_photograph_with_the_others(prepared):
    digits, photographs = {}, {}
    for split in ("train", "val", "test"):
        content = json.loads((prepared / "annotations" / f"{split}.json").read_text())
        digits[split] = {annotation["digit"] for annotation in content["annotations"]}
        photographs[split] = {image["photo"] for image in content["images"]}
        assert len({annotation["category_id"] for annotation in content["annotations"]}) == 10
    assert len(photographs["test"]) == 6
    for sources in (digits, photographs):
        assert not sources["test"] & (sources["train"] | sources["val"])


def test_detectors_are_evaluated_on_it(prepared, tmp_path):
    assert DatasetIndex.load(prepared / FILE_NAME).evaluation_split == "test"
    prepare_detection(WITHOUT, tmp_path)
    assert DatasetIndex.load(tmp_path / FILE_NAME).evaluation_split == "val"


def test_where_val_leaves_no_digit_it_says_what_to_change(monkeypatch, tmp_path):
    monkeypatch.setattr(embedded, "digit_indices", lambda split, label: (label, label + 10))
    with pytest.raises(DatasetError, match="class 0: val's images show every digit"):
        write_detection(WITH, tmp_path)
