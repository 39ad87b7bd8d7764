"""The report's section on random networks: first of all tables, and only where it is asked for."""

import pytest
from made_up_metrics import manifest
from synthetic_run import make_run

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import write_json
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
    networks = [
        {
            "name": name,
            "kind": name.partition("_")[0],
            "macs": 9,
            "params": 9,
            "AP": aps,
            "AP50": aps,
        }
        for name, aps in NETWORKS.items()
    ]
    write_json(folder / RANDOM / STUDY, {"format": 1, "networks": networks})
    (folder / RANDOM / "manifest.json").write_bytes(manifest(1.0).content())

    page = build_report(folder, SETTINGS, [RANDOM])["report.html"].decode()
    assert "is better than 3 random ones of its cost: AP 50.5 % against 41.5 % on average" in page
    assert page.index("Against random networks") < page.index("<table>") < page.index("better by")
    assert "Against random networks" not in build_report(folder, SETTINGS)["report.html"].decode()

    (folder / RANDOM / STUDY).unlink()
    with pytest.raises(ArtifactError, match=r"study\.json"):
        build_report(folder, SETTINGS, [RANDOM])
