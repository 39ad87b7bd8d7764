"""`paper.yaml` holds what section 4.2 of Hit-Detector states, and both of COCO's names."""

from pathlib import Path

from pipeline.config.data import CocoDetection
from pipeline.config.files import load_config_files
from pipeline.config.zoo_names import ZOO_NAMES
from pipeline.doctor.datasets import missing_datasets

FOLDER = Path(__file__).parents[2] / "config"


def test_distillation_is_joint_detnas_s_as_printed() -> None:
    config = load_config_files([FOLDER / "paper.yaml"])
    sections = (
        config.teacher_pool.distillation,
        config.hill_climb.training.distillation,
        config.joint_tables.training.distillation,
        config.upgrade.training.distillation,
    )
    for section in sections:
        assert section.feature_distance == "sum"
        assert (section.features, section.classes, section.boxes) == (1.0, 1.0, 1.0)


def test_the_numbers_of_section_4_2() -> None:
    config = load_config_files([FOLDER / "paper.yaml"])
    assert (config.run.gpus, config.run.reference_gpus) == (8, 8)
    assert config.supernet.screening_depth == (2, 2, 4, 2)
    assert config.supernet.depth == (4, 4, 8, 4)
    assert len(config.screening.candidates) == 32
    assert config.screening.keep.model_dump() == {"backbone": 8, "neck": 8, "head": 8}
    assert (config.screening.mu, config.search.cost_weight) == (0.1, 0.01)
    for section in (config.screening, config.search):
        assert (section.epochs, section.architecture_from_epoch) == (12, 6)
        assert (section.optimizer.type, section.optimizer.momentum) == ("sgd", 0.9)
        assert (section.optimizer.lr, section.optimizer.schedule) == (0.04, "cosine")
        assert section.architecture_lr == 4e-4
    # Eq. 5 as printed: all candidates, wherever a supernet runs
    for name in ("screening_pretraining", "screening", "search_pretraining", "search"):
        assert getattr(config, name).paths is None, name
    assert config.screening.held_paths is None
    assert (config.screening_pretraining.epochs, config.pretraining.epochs) == (10, 300)
    training = config.training
    assert (training.epochs, training.batch_size) == (12, 4 * 8)
    assert (training.optimizer.lr, training.optimizer.milestones) == (0.04, (8, 11))
    assert (training.optimizer.momentum, training.optimizer.weight_decay) == (0.9, 1e-4)
    assert (config.detector.image_scale[1], config.detector.flip) == (800, 0.5)
    # Table 5 of the paper shows both heads of the baseline
    assert config.ablations.further_baselines == ("fpn_r50_4conv1fc",)
    assert config.detector.vertical_flip == 0
    # every network of the zoo that a table of the papers shows beside the searched one, but the bases' R18
    named = {baseline.zoo for baseline in config.named_baselines.values()}
    assert set(ZOO_NAMES) - named == {"fpn_r152", "fpn_r18", "hit_detector_released"}
    assert set(config.joint_tables.baselines) < set(config.named_baselines)


def test_the_2x_schedule_and_the_names_of_2017_lie_on_top() -> None:
    names = ("paper.yaml", "paper_2x.yaml", "coco2017.yaml")
    config = load_config_files([FOLDER / name for name in names])
    assert (config.training.epochs, config.training.optimizer.milestones) == (24, (16, 22))
    data = config.data.detection.active
    assert isinstance(data, CocoDetection) and data.val
    assert "train2017" in data.train.images and "val2017" in data.val.annotations
    assert data.tolerated_boxes > 0


def test_table_6_lies_on_top() -> None:
    config = load_config_files([FOLDER / name for name in ("paper.yaml", "paper_retinanet.yaml")])
    shape = config.supernet
    assert (shape.family, shape.anchor_scale, shape.head_blocks) == ("retinanet", 4, 4)
    assert (shape.neck_channels, config.ablations.baseline) == (256, "retinanet_r50")
    # 0.01 for 16 images, as Lin et al.
    assert config.training.optimizer.lr / config.training.batch_size == 0.01 / 16


def test_missing_datasets_are_named_together_with_the_tree(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = load_config_files([FOLDER / "paper.yaml"]).data
    (tmp_path / "data/coco/val2014").mkdir(parents=True)
    message = missing_datasets(data)
    assert message is not None
    lines = message.splitlines()
    assert sum("MISSING" in line for line in lines) == 5
    assert sum(line.startswith("  there") for line in lines) == 1
    assert "data/imagenet/train" in message and "instances_minival2014.json" in message
    for name in ("instances_trainval35k2014.json", "instances_minival2014.json"):
        path = tmp_path / "data/coco/annotations" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    for name in ("coco/trainval2014", "imagenet/train", "imagenet/val"):
        (tmp_path / "data" / name).mkdir(parents=True)
    assert missing_datasets(data) is None
