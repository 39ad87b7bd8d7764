"""The search for a front is a function of its seed: shards in any order, side by side, after a kill."""

import shutil
import time
from pathlib import Path

import pytest
from stage_jobs import Job, published, stage_jobs
from test_candidate_order import kill_job, start_job
from workflow_project import Project

from pipeline.artifacts.files import read_json
from pipeline.artifacts.lineage import artifact_folders
from pipeline.data.images import load_image
from pipeline.deploy.loading import open_detector
from pipeline.deploy.session import OnnxDetector
from pipeline.front.table import Front
from pipeline.pick import main as pick
from pipeline.report.front_page import compared_rows

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("copies")]


def _of(jobs: list[Job], stage: str, generation: int) -> list[Job]:
    place = f"generation_{generation}"
    found = [job for job in jobs if job.module.endswith(f".{stage}")]
    return [job for job in found if place in job.manifest.parts]


def test_a_front_is_the_same_reversed_side_by_side_and_after_a_kill(
    finished: Project, tmp_path: Path
) -> None:
    project = Project(tmp_path / "project")
    shutil.copytree(finished.folder, project.folder, symlinks=True)
    result = project.snakemake("front")
    assert result.returncode == 0, result.stdout[-6000:]
    expected = tmp_path / "expected"
    place = project.results / "front"
    shutil.copytree(place, expected)

    front = Front.model_validate(read_json(place / "front.json"))
    stock = {row.name for row in front.rows if row.kind == "stock"}
    assert stock == {"base", "student"} and front.evaluated == 8
    assert all(row.latency and row.latency.runs == 4 for row in front.rows)
    assert front.predictor_error is not None and (place / "front.csv").exists()
    page = (place / "page/front.html").read_text()
    drawn = (place / "page/figures/detections.svg").read_text()
    columns = compared_rows(front)
    assert all(name in page for name in columns) and "trained alone" in page
    assert drawn.count("<image") == 2 * (1 + len(columns)), "two images, and the ground truth first"
    assert project.stale("front") == {}
    for file, old, new in (
        (
            "config/test.yaml",
            "images: 2\n  score_threshold: 0.05",
            "images: 1\n  score_threshold: 0.1",
        ),
        ("pipeline/report/front_page.py", 'title="front"', 'title="the front"'),
    ):
        project.edit(file, old, new)
        assert project.stale("front") == {"draw_front": 1, "front": 1}, file
        project.edit(file, new, old)

    picked = tmp_path / "picked"
    pick([str(project.results), "--max-params", "1000", "--out", str(picked)])
    best = max(front.rows, key=lambda row: (row.val.ap, -(row.cost or 0)))
    assert read_json(picked / "metrics.json")["val"]["ap"] == best.val.ap
    card = (picked / "MODEL_CARD.md").read_text()
    assert card.startswith(f"# {best.name} of run test") and f"{best.params:,} parameters" in card
    assert (
        card.index("## The ONNX file")
        < card.index("pipeline.predict")
        < card.index("## How it was")
    )
    photo = next((project.results / "data/detection/images/val").glob("*.png"))
    assert len(OnnxDetector(picked / "detector.onnx")(load_image(photo)).scores) > 0
    assert open_detector(picked).dataset_meta["classes"]

    # what was timed stays: its numbers no second run repeats
    for folder in place.glob("generation_*"):
        shutil.rmtree(folder)
    jobs = stage_jobs(project.folder, "config/test.yaml", target="front")
    log = tmp_path / "log"

    def run(job: Job) -> None:
        assert start_job(job, project.folder, log).wait() == 0, log.read_text()[-3000:]

    for generation in (0, 1):
        run(*_of(jobs, "breed_front", generation))
        first, second = _of(jobs, "evaluate_subnets", generation)
        if generation == 0:
            run(second)
            killed = start_job(first, project.folder, log)
            while "subnet 1 of 2: AP" not in log.read_text().rpartition("published")[2]:
                assert killed.poll() is None, log.read_text()[-3000:]
                time.sleep(0.001)
            kill_job(killed, first, project.folder)
            run(first)
        else:
            together = [start_job(job, project.folder, log) for job in (second, first)]
            assert [process.wait() for process in together] == [0, 0], log.read_text()[-3000:]
    run(*_of(jobs, "breed_front", 2))
    compared = [folder.relative_to(place) for folder in artifact_folders(place)]
    generations = [folder for folder in compared if "generation_" in str(folder)]
    assert len(generations) == 3 + 2 * 2
    for folder in generations:
        assert published(place / folder) == published(expected / folder), folder

    # the hill climbing can count what the predictor says
    project.edit("config/test.yaml", "\nhill_climb:\n", "\nhill_climb:\n  cost: latency\n")
    candidate = "joint_detnas/hill_climb/generation_0/candidate_0/manifest.json"
    assert project.stale(f"results/test/{candidate}") == {"evaluate_candidate": 1}
    result = project.snakemake(f"results/test/{candidate}")
    assert result.returncode == 0, result.stdout[-6000:]
    found = read_json((project.results / candidate).parent / "evaluation.json")
    predicted = [row.predicted for row in front.rows if row.predicted]
    assert 0.2 * min(predicted) < found["milliseconds"] < 5 * max(predicted)
