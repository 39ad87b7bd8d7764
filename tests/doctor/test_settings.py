"""Settings that would end a training are told before a run; on those that are rarely meant is a remark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from pipeline.config.files import DEFAULT, load_config_files
from pipeline.config.root import Config
from pipeline.doctor import settings
from pipeline.doctor.__main__ import main
from pipeline.doctor.content import content
from pipeline.doctor.settings import (
    HIT_DETECTOR,
    JOINT_DETNAS,
    default_rules,
    demands,
    remarks,
    told_at_start,
)

ON_PAPER = ("paper_retinanet", "coco2017")
"""Files that are laid on top of config/paper.yaml."""
SHIPPED = sorted(path for path in DEFAULT.parent.rglob("*.yaml") if path != DEFAULT)


def config_with(folder: Path, content: dict[str, Any], *below: Path) -> Config:
    """The default with something on top of it."""
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_config_files([*below, path])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_nothing_is_remarked_on_a_shipped_config(path: Path, tmp_path: Path) -> None:
    below = [DEFAULT.parent / "paper.yaml"] if path.stem in ON_PAPER else []
    config = load_config_files([*below, path])
    assert told_at_start(config, tmp_path, default_rules(config)) == ([], [])


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        (
            {"normalization": {"mean": [0.485, 0.456, 0.406]}},
            "normalization.mean is [0.485, 0.456, 0.406], in fractions of one; pixels are 0 to 255: usual "
            "is [123.675, 116.28, 103.53]",
        ),
        (
            {"normalization": {"std": [0.229, 0.224, 0.225]}},
            "normalization.std is [0.229, 0.224, 0.225], in fractions of one; pixels are 0 to 255: usual "
            "is [58.395, 57.12, 57.375]",
        ),
        (
            {"training": {"optimizer": {"type": "adamw", "lr": 0.02}}},
            "training.optimizer.lr is 0.02; with adamw usual is 0.0001 to 0.003",
        ),
        (
            {"search": {"optimizer": {"type": "sgd", "lr": 0.0001}}},
            "search.optimizer.lr is 0.0001; with sgd usual is 0.01 to 0.04",
        ),
        (
            {"hill_climb": {"training": {"optimizer": {"type": "sgd", "lr": 2.0}}}},
            "hill_climb.training.optimizer.lr is 2; with sgd usual is 0.01 to 0.04",
        ),
        (
            {"supernet": {"input_size": [800, 1216]}},
            "supernet.input_size is [800, 1216], at which the search counts costs, but "
            "detector.image_scale is [128, 128]: usual is the same size as height and width, in multiples "
            "of 32",
        ),
    ],
)
def test_a_setting_that_is_rarely_meant_is_remarked_on(odd, told: str, tmp_path: Path) -> None:
    config = config_with(tmp_path, odd)
    assert list(remarks(config, default_rules(config))) == [told]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"screening": {"batch_size": 13}}, "screening.batch_size asks for 13 images at once, and"),
        ({"search": {"batch_size": 13}}, "search.batch_size asks for 13 images at once, and"),
        ({"training": {"batch_size": 25}}, "training.batch_size asks for 25 images at once, and"),
        ({"pretraining": {"batch_size": 41}}, "pretraining.batch_size asks for 41 images at once"),
        (
            {"teacher_pool": {"recalibration": {"images": 25}}},
            "teacher_pool.recalibration.images asks for 25 images at once, and there are 24",
        ),
        (
            {"hill_climb": {"training": {"batch_size": 25}}},
            "hill_climb.training.batch_size asks for 25 images",
        ),
        (
            {"base_detector": {"training": {"batch_size": 25}}},
            "base_detector.training.batch_size asks for 25 images",
        ),
        ({"run": {"gpus": 3}}, "screening.batch_size is 4 images, which 3 processes cannot share"),
        (
            {"run": {"gpus": 3, "reference_gpus": 8}},
            "screening.batch_size is 4, for 8 GPUs: for 3 it would be 1.5 images",
        ),
    ],
)
def test_a_setting_that_the_data_do_not_allow_is_told_at_the_start(
    wrong, told: str, tmp_path: Path
) -> None:
    config = config_with(tmp_path, wrong, DEFAULT.parent / "test.yaml")
    found, _ = told_at_start(config, tmp_path, default_rules(config))
    assert any(sentence.startswith(told) for sentence in found), found
    others = HIT_DETECTOR if "climb" in told or "base" in told or "pool" in told else JOINT_DETNAS
    found, _ = told_at_start(config, tmp_path, others)
    assert not any(sentence.startswith(told) for sentence in found), "no such training runs"


def test_batches_are_those_of_the_gpus_that_there_are(tmp_path: Path) -> None:
    config = config_with(tmp_path, {"run": {"gpus": 4, "reference_gpus": 2}})
    wanted = {
        batch.key: batch.images
        for batch in demands(config, {"search", "pretrain_backbone"}).batches
    }
    assert wanted == {"pretraining.batch_size": 32, "search.batch_size": 8}


def test_a_batch_is_shared_by_the_processes_of_the_jobs_that_take_it(tmp_path: Path) -> None:
    """Candidates on one GPU of eight share no batch; the base that is trained as long has all eight."""
    paper = DEFAULT.parent / "paper.yaml"
    four = config_with(tmp_path, {"hill_climb": {"gpus": 1, "training": {"batch_size": 4}}}, paper)
    assert [*settings.unshared(four, {"evaluate_candidate"})] == []
    ((key, told),) = settings.unshared(four, {"evaluate_candidate", "refine_detector"})
    assert key == "hill_climb.training.batch_size" and "4 images, which 8 processes" in told
    three = config_with(tmp_path, {"hill_climb": {"gpus": 3}, "teacher_pool": {"gpus": 3}}, paper)
    found = dict(settings.unshared(three, {"evaluate_candidate", "shrink_pool"}))
    assert found.keys() == {
        "hill_climb.training.batch_size",
        *(f"teacher_pool.phases.{k}.batch_size" for k in range(len(three.teacher_pool.phases))),
    }
    assert all("which 3 processes cannot share" in told for told in found.values())


@pytest.mark.parametrize("strategy", ["evolution", "random"])
def test_a_search_of_paths_is_asked_for_its_own_batches(strategy: str, tmp_path: Path) -> None:
    search = {"strategy": strategy, "batch_size": 1000, "recalibration_batches": 2}
    config = config_with(tmp_path, {"search": search})
    found, _ = told_at_start(config, tmp_path, default_rules(config))
    assert [sentence.split()[0] for sentence in found] == [
        "search.batch_size",
        "search.recalibration_batches",
    ]


def test_a_full_disk_is_told_in_the_same_list(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("pipeline.doctor.environment.LEAST_GIB", 2**30)
    config = config_with(tmp_path, {"screening": {"batch_size": 1000}})
    found, _ = told_at_start(config, tmp_path, default_rules(config))
    assert [sentence.split()[0] for sentence in found] == ["screening.batch_size", "disk:"]
    assert told_at_start(config, tmp_path, ())[0] == [], "nothing is going to be written"


def own(folder: Path, boxes: int) -> dict[str, Any]:
    """A config of own data: two images of 640 x 480, boxes of two classes in the first."""
    for split in ("train", "val"):
        (folder / split).mkdir()
        for number in range(2):
            Image.new("RGB", (640, 480)).save(folder / split / f"{number}.png")
    (folder / "own.json").write_text(
        json.dumps(
            {
                "images": [
                    {"id": n, "file_name": f"{n}.png", "width": 640, "height": 480}
                    for n in range(2)
                ],
                "annotations": [
                    {"id": n, "image_id": 0, "category_id": n % 2, "bbox": [n, n, 50, 60]}
                    for n in range(boxes)
                ],
                "categories": [{"id": 0, "name": "a"}, {"id": 1, "name": "b"}],
            }
        )
    )
    coco = {
        split: {"annotations": str(folder / "own.json"), "images": str(folder / split)}
        for split in ("train", "val")
    }
    return {
        "data": {
            "detection": {"source": "coco", "coco": coco},
            "classification": {"source": "crops"},
        },
        "run": {"methods": ["hit_detector"]},
    }


def test_the_doctor_looks_into_the_users_data_on_demand(tmp_path: Path) -> None:
    config = config_with(tmp_path, own(tmp_path, boxes=6))
    counted, settings_, *notes = content(config)
    assert counted.state == "ok"
    assert counted.found.startswith("train 2 images, 6 objects; val 2 images, 6 objects")
    assert settings_.state == "fault"
    for part in (
        "screening.batch_size asks for 4 images at once, and there are 0 images in half of the 1",
        "pretraining.batch_size asks for 16 images at once, and there are 6 images to pretrain on",
        "training.batch_size asks for 4 images at once, and there are 1 training images with a box",
    ):
        assert part in settings_.found
    assert [note.state for note in notes] == ["note"]
    assert "about 640 x 480" in notes[0].found


def test_the_doctor_lists_the_defects_of_the_users_data(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    config_with(tmp_path, own(tmp_path, boxes=1))
    for split in ("train", "val"):
        (tmp_path / split / "1.png").unlink()
    with pytest.raises(SystemExit) as ended:
        main(["--configfile", str(tmp_path / "mine.yaml")])
    assert ended.value.code == 1
    printed = capsys.readouterr().out
    assert "fault   content of data.detection: The dataset has 2 defects." in printed
    assert "there is no such file" in printed
    assert printed.endswith("2 faults\n")


def test_every_rule_that_trains_is_asked_for_its_batches() -> None:
    named = {*settings.PRETRAININGS, *settings.ALTERNATIONS, *settings.DETECTORS}
    stages = {
        path.stem
        for path in (DEFAULT.parents[1] / "pipeline/stages").glob("*.py")
        if "run_training(" in path.read_text() and path.stem not in ("training",)
    }
    # the search of paths trains nothing: what it asks of the data is told by itself
    assert stages <= named | {"train_student", "shrink_pool", "search_paths"}


def test_a_base_outside_the_pool_that_is_grown_from_it_is_told_before_a_job_starts(
    tmp_path: Path,
) -> None:
    wide = config_with(tmp_path, {"base_detector": {"width": 1.0}})
    (told,) = told_at_start(wide, tmp_path, {"shrink_pool"})[0]
    assert "teacher_pool.grown_from_base" in told and "channels of the stem: it has 64" in told
    assert told_at_start(wide, tmp_path, {"train_detector"})[0] == []
    scratch = {"base_detector": {"width": 1.0}, "teacher_pool": {"grown_from_base": False}}
    assert told_at_start(config_with(tmp_path, scratch), tmp_path, {"shrink_pool"})[0] == []


def test_a_front_alone_is_asked_for_what_it_trains_and_for_the_detectors_beside_it() -> None:
    def rules(**front: Any) -> frozenset[str]:
        return default_rules(
            Config.model_validate({"data": {}, "run": {"methods": ["front"]}, "front": front})
        )

    assert rules() == rules(stock=["base"]) == {"train_student", "shrink_pool"}
    assert rules(stock=["base", "baselines/r18"]) == rules() | {"train_detector"}
    assert {"screen", "search", "train_detector"} < rules(stock=["hit_detector"])
    assert "evaluate_candidate" in rules(stock=["student"])
    assert "upgrade_detector" in rules(stock=["upgrade"])
