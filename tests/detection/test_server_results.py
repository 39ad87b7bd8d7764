"""What COCO's evaluation server takes: its names, and an archive of the one file."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from pipeline.detection.server_results import image_set, server_files

FOUND = [{"image_id": 7, "category_id": 3, "bbox": [1.0, 2.0, 3.0, 4.0], "score": 0.5}]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("image_info_test-dev2017.json", "test-dev2017"),
        ("instances_val2017.json", "val2017"),
        ("mine.json", "mine"),
    ],
)
def test_the_image_set_is_named_by_its_file(file: str, name: str) -> None:
    assert image_set(Path("/data") / file) == name


def test_the_archive_holds_the_results_under_the_server_s_name() -> None:
    files = server_files(FOUND, Path("image_info_test-dev2017.json"), "coco-hit_detector")
    name = "detections_test-dev2017_coco-hit-detector_results"
    assert list(files) == [f"{name}.json", f"{name}.zip"]
    assert json.loads(files[f"{name}.json"]) == FOUND
    archive = zipfile.ZipFile(io.BytesIO(files[f"{name}.zip"]))
    assert archive.namelist() == [f"{name}.json"]
    assert archive.read(f"{name}.json") == files[f"{name}.json"]
    assert files == server_files(FOUND, Path("image_info_test-dev2017.json"), "coco-hit_detector")
