"""One run of the whole workflow: what it leaves."""

import json
import subprocess
import sys

import pytest
from workflow_project import Project, copy_project

from pipeline.artifacts.manifest import verify

pytestmark = [pytest.mark.slow, pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

ARTIFACTS = (
    "data/detection",
    "data/classification",
    "hit_detector/screening/supernet",
    "hit_detector/screening/backbone",
    "hit_detector/screening/neck",
    "hit_detector/screening/head",
    "hit_detector/supernet",
    "hit_detector/search",
    "hit_detector",
    "hit_detector/pretraining",
    "hit_detector/detector",
    "hit_detector/evaluation",
    "joint_detnas/base/detector",
    "joint_detnas/base/evaluation",
    "joint_detnas/hill_climb/generation_1/candidate_1",
    "joint_detnas/hill_climb/generation_1/ranking",
    "joint_detnas/hill_climb/generation_1/removed",
    "joint_detnas/student/detector",
    "joint_detnas/student/evaluation",
    ".",
)


def test_every_artifact_is_published_whole_and_nothing_private_stays(finished: Project):
    """More than these may be there: other tests make tables and figures of the same run."""
    found = {path.parent for path in finished.results.rglob("manifest.json")}
    assert found >= {finished.results / name for name in ARTIFACTS}
    for folder in found:
        assert verify(folder) == [], folder
        assert not (folder / "work").exists(), folder


def test_the_searched_architecture_is_drawn_from_the_screened_spaces(finished: Project):
    hit = finished.results / "hit_detector"
    architecture = json.loads((hit / "architecture.json").read_text())
    blocks = {
        "backbone": [block for stage in architecture["backbone"]["stages"] for block in stage],
        "neck": architecture["neck"]["top_down"] + architecture["neck"]["bottom_up"],
        "head": architecture["head"]["blocks"],
    }
    for component, kept in (("backbone", 3), ("neck", 2), ("head", 2)):
        space = json.loads((hit / "screening" / component / "sub_search_space.json").read_text())
        assert len(space["kept"]) == kept
        assert len(space["scores"]) == 6
        assert len(space["removed"]) == 6 - kept
        assert {block["operation"] for block in blocks[component]} <= set(space["kept"])


def test_metrics_hold_what_users_read(finished: Project):
    metrics = json.loads((finished.results / "hit_detector/evaluation/metrics.json").read_text())
    for name in ("AP", "AP50", "AP75", "APS", "APM"):
        assert 0 <= metrics[name] <= 1
    assert metrics["APL"] is None, "images of 64 pixels hold no large object"
    parts = metrics["components"]
    assert set(parts) == {"backbone", "neck", "rpn", "head"}
    for count in ("params", "macs"):
        assert metrics[count] == sum(part[count] for part in parts.values()) > 0


def test_a_fresh_process_loads_the_detector_and_detects_the_same(finished: Project):
    """`mmdet.apis.init_detector` on the folder alone, against the detections of the run."""
    hit = finished.results / "hit_detector"
    code = f"""
import json
import pipeline
from mmdet.apis import inference_detector, init_detector
model = init_detector({str(hit / "detector/config.py")!r},
                      {str(hit / "detector/weights.safetensors")!r}, device="cpu")
found = inference_detector(model, {str(finished.results / "data/detection/images/test/000001.png")!r})
print(json.dumps({{"classes": model.dataset_meta["classes"],
                   "boxes": found.pred_instances.bboxes.tolist(),
                   "scores": found.pred_instances.scores.tolist()}}))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=finished.folder, text=True, capture_output=True
    )
    assert result.returncode == 0, result.stderr[-3000:]
    fresh = json.loads(result.stdout.splitlines()[-1])
    assert list(fresh["classes"]) == [str(digit) for digit in range(10)]
    run = [
        detection
        for detection in json.loads((hit / "evaluation/detections.json").read_text())
        if detection["image_id"] == 1
    ]
    assert len(run) == len(fresh["scores"]) > 0
    # one image at a time against the batches of the run
    assert fresh["scores"] == pytest.approx([d["score"] for d in run], abs=1e-5)
    for (left, top, right, bottom), detection in zip(fresh["boxes"], run, strict=True):
        box = [left, top, right - left, bottom - top]
        assert box == pytest.approx(detection["bbox"], abs=1e-3)


def test_predict_prints_and_draws_what_the_run_detected(finished: Project, tmp_path):
    hit = finished.results / "hit_detector"
    image = finished.results / "data/detection/images/test/000001.png"
    command = [sys.executable, "-m", "pipeline.predict", str(hit / "detector"), str(image)]
    result = subprocess.run(
        [*command, "--score", "0", "--out", str(tmp_path / "drawn.png")],
        cwd=finished.folder,
        text=True,
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    lines = [line.split("\t") for line in result.stdout.splitlines() if line.startswith(str(image))]
    run = json.loads((hit / "evaluation/detections.json").read_text())
    scores = sorted(round(entry["score"], 3) for entry in run if entry["image_id"] == 1)
    assert sorted(float(line[2]) for line in lines) == pytest.approx(scores, abs=2e-3)
    assert (tmp_path / "drawn.png").stat().st_size > 0

    absent = subprocess.run(
        [*command[:-1], "nowhere.png"], cwd=finished.folder, text=True, capture_output=True
    )
    assert absent.returncode == 1
    assert "predict: no such image: nowhere.png" in absent.stderr


def test_a_wrong_config_is_refused_before_any_job_with_all_mistakes(tmp_path):
    project = copy_project(tmp_path)
    (tmp_path / "wrong.yaml").write_text(
        "screening: {keep: {neck: 40}, mu: -1}\nsearch: {epochs: many}\nserach: {epochs: 3}\n"
    )
    result = project.snakemake("--configfile", "wrong.yaml")
    assert result.returncode != 0
    for part in (
        "screening.mu: Input should be greater than or equal to 0 (given: -1)",
        "search.epochs: Input should be a valid integer",
        "serach: unknown key; allowed here:",
    ):
        assert part in result.stdout, result.stdout
    assert not (tmp_path / "results").exists()
