"""The report's section on random networks: first of all tables, and only where it is asked for."""

from xml.etree import ElementTree

import pytest
from synthetic_random import add_random
from synthetic_run import make_run

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import read_json, write_json
from pipeline.config.ablations import ExamplesConfig
from pipeline.config.evaluation import ReportConfig
from pipeline.report.page import build_report
from pipeline.report.random_section import RANDOM
from pipeline.report.random_study import STUDY

SETTINGS = ReportConfig(example_images=1)
NETWORKS = {
    "searched": (0.50, 0.51),
    "random_0": (0.40, 0.41),
    "random_1": (0.41, 0.42),
    "random_2": (0.42, 0.43),
    "plain": (0.46, 0.47),
}


def test_its_table_is_the_first_of_the_page(tmp_path):
    folder = make_run(tmp_path / "run")
    add_random(folder, NETWORKS)

    page = build_report(folder, SETTINGS, [RANDOM])["report.html"].decode()
    assert "is better than 3 random ones of its cost: AP 50.5 % against 41.5 % on average" in page
    assert page.index("Against random networks") < page.index("<table>") < page.index("better by")
    assert "Against random networks" not in build_report(folder, SETTINGS)["report.html"].decode()

    (folder / RANDOM / STUDY).unlink()
    with pytest.raises(ArtifactError, match=r"study\.json"):
        build_report(folder, SETTINGS, [RANDOM])


def test_three_networks_are_drawn_on_the_same_images(tmp_path):
    """The searched one finds several objects, the random one nothing of that score, the plain one a box."""
    folder = make_run(tmp_path / "run")
    truth = read_json(folder / "data/detection/annotations/val.json")
    box = {"image_id": truth["images"][0]["id"], "category_id": 2, "bbox": [5, 6, 70, 80]}
    for name, score in (("ablations/random/0", 0.79), ("ablations/plain", 0.8)):
        write_json(folder / name / "evaluation/detections.json", [{**box, "score": score}])
    add_random(folder, NETWORKS)
    examples = ExamplesConfig(images=len(truth["images"]), score_threshold=0.8)

    files = build_report(folder, SETTINGS, [RANDOM], examples=examples)
    figure = ElementTree.fromstring(files["figures/random_detections.svg"])
    headings = [item.text for item in figure.findall("{*}text")]
    assert headings == ["ground truth", "searched", "random", "plain"]
    drawn = [group.findall(".//{*}text") for group in figure.findall("{*}g")]
    assert len(drawn) == 4 * examples.images
    assert sum(map(len, drawn[0::4])) == len(truth["annotations"])
    found = read_json(folder / "hit_detector/evaluation/detections.json")
    above = [one for one in found if one["score"] >= 0.8]
    assert above and sum(map(len, drawn[1::4])) == len(above)
    assert not any(drawn[2::4])
    assert [item.text for group in drawn[3::4] for item in group] == ["1 0.80"]
    page = files["report.html"].decode()
    assert "detections from a score of 0.8 on" in page and "Detections from a score of 0.8" in page
