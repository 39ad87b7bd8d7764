"""What test_distributed.py starts, alone or twice: a few steps of each task, and what they led to.

test_task.py takes its tasks and data, too.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import pseudo_collate

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.config.data import EmbeddedClassification, EmbeddedDetection
from pipeline.config.detector import DetectorConfig, Normalization, TestingConfig
from pipeline.config.distillation import DistillationConfig
from pipeline.config.evaluation import TrainingConfig
from pipeline.config.hit_detector import Kept, ScreeningConfig, SearchConfig
from pipeline.config.optimization import Classification, Optimizer
from pipeline.config.supernet import SupernetConfig
from pipeline.config.teacher_pool import PoolSpace, ShrinkingPhase
from pipeline.data.embedded import write_classification, write_detection
from pipeline.data.embedded_sources import CLASSES
from pipeline.data.index import SplitPaths
from pipeline.detection.builder import Surroundings, build_backbone, build_detector
from pipeline.detection.complexity import fill_candidate_macs
from pipeline.detection.dataset import build_dataset
from pipeline.detection.loss import detection_loss
from pipeline.detection.resolutions import datasets_at
from pipeline.detection.sampling import sample_by_image
from pipeline.detection.training import DetectorTraining
from pipeline.hit_detector.detection import detection_supernet
from pipeline.hit_detector.screening import Screening
from pipeline.hit_detector.search import TrinitySearch
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.search_space.architecture import COMPONENTS
from pipeline.teacher_pool.detector import ElasticDetector
from pipeline.teacher_pool.shrinking import Shrinking
from pipeline.teacher_pool.space import SubnetSpace
from pipeline.training import distributed
from pipeline.training.classification import BackbonePretraining, Classifier
from pipeline.training.loop import run_loop
from pipeline.training.seeding import seed_everything
from pipeline.training.stream import BatchStream

SHAPE = SupernetConfig(
    input_size=(64, 64),
    proposals=20,
    stem_channels=8,
    channels=(8, 8, 8, 8),
    screening_depth=(1, 1, 1, 1),
    depth=(1, 1, 1, 1),
    neck_channels=8,
    rpn_channels=8,
    head_blocks=1,
    head_fc_channels=16,
    roi_size=3,
)
SPACE = ("ir_k3_d1_e1", "sep_k3_d1", "conv_k3_d1")
AROUND = Surroundings(
    DetectorConfig(image_scale=(64, 64), rpn_samples=16, proposals=20, roi_samples=8),
    TestingConfig(proposals=20),
    Normalization(),
)
SGD = Optimizer(lr=0.02, clip_norm=10.0)


def _detection(folder: Path, name: str) -> tuple[Any, Path]:
    split = SplitPaths(folder / f"annotations/{name}.json", folder / f"images/{name}")
    return build_dataset(split, list(CLASSES), AROUND.detector, train=name == "train"), (
        split.annotations
    )


def write_data(folder: Path) -> None:
    """Images for detection in a folder, and those for classification in `classes` in it."""
    detection = EmbeddedDetection(
        image_size=64,
        train_images=12,
        val_images=2,
        objects_per_image=(1, 2),
        object_size=(16, 40),
    )
    write_detection(detection, folder)
    pictures = folder / "pictures"
    pictures.mkdir()
    classification = EmbeddedClassification(
        image_size=32, train_images_per_class=3, val_images_per_class=1
    )
    write_classification(classification, pictures)
    (folder / "classes").symlink_to(next(p for p in pictures.rglob("train") if p.is_dir()))


def make_task(name: str, folder: Path) -> Any:
    cpu = torch.device("cpu")
    architecture = supernet_architecture(
        SHAPE, len(CLASSES), SHAPE.depth, dict.fromkeys(COMPONENTS, SPACE)
    )
    if name == "classification":
        settings = Classification(epochs=1, batch_size=8, image_size=32, paths=2, optimizer=SGD)
        model = Classifier(build_backbone(architecture, paths=2), 8, len(CLASSES))
        folders = (folder / "classes", folder / "classes")
        return BackbonePretraining(model, settings, Normalization(), folders, 5, sampled=True)
    data, _ = _detection(folder, "train")
    if name == "training":
        single = supernet_architecture(
            SHAPE, len(CLASSES), SHAPE.depth, dict.fromkeys(COMPONENTS, "conv_k3_d1")
        )
        settings = TrainingConfig(epochs=1, batch_size=4, optimizer=SGD)
        return DetectorTraining(
            build_detector(single, AROUND), settings, data, _detection(folder, "val"), 5
        )
    if name == "shrinking":
        return _shrinking(folder)
    supernet = detection_supernet(
        SHAPE,
        SHAPE.depth,
        dict.fromkeys(COMPONENTS, SPACE),
        AROUND,
        classes=len(CLASSES),
        backbone=None,
        paths=dict.fromkeys(COMPONENTS, 2),
        device=cpu,
    )
    halves = (
        BatchStream(data, 4, 5, collate=pseudo_collate),
        BatchStream(data, 4, 6, collate=pseudo_collate),
    )
    common = {"epochs": 1, "architecture_from_epoch": 1, "batch_size": 4, "optimizer": SGD}
    if name == "screening":
        keep = Kept(backbone=2, neck=2, head=2)
        settings = ScreeningConfig(**common, candidates=SPACE, keep=keep)
        arguments = (supernet.model, settings, supernet.choices, detection_loss, halves)
        return Screening(("backbone",), *arguments)
    fill_candidate_macs(supernet.model, supernet.architecture, 20)
    return TrinitySearch(
        supernet.model, SearchConfig(**common), supernet.choices, detection_loss, halves
    )


def _shrinking(folder: Path) -> Any:
    """Phase of a pool whose subnets have parts of the largest net's channels."""
    shape = PoolSpace(
        block="basic",
        base_channels=4,
        neck_channels=8,
        rpn_channels=8,
        roi_size=3,
        head_fc_channels=16,
        resolutions=((64, 64),),
    )
    settings = ShrinkingPhase(
        epochs=1, batch_size=4, least_depths=(2, 2, 2, 2), widths=(1.0, 1.5), optimizer=SGD
    )
    elastic = ElasticDetector(SubnetSpace.whole(shape, len(CLASSES)), AROUND)
    space = SubnetSpace.of_phase(shape, len(CLASSES), settings)
    split = SplitPaths(folder / "annotations/train.json", folder / "images/train")
    train = datasets_at(((64, 64),), split, list(CLASSES), AROUND.detector, train=True)
    return Shrinking(elastic, None, space, settings, DistillationConfig(), train, 5)


def main(data: Path, out: Path, names: list[str]) -> None:
    """Train three steps of each task, and validate a classification.

    The first process writes a file for each, with its records and parameters.
    """
    torch.set_num_threads(1)
    distributed.join(torch.device("cpu"))
    for name in names:
        seed_everything(3)
        task = make_task(name, data)
        # as several processes do, so that one draws the same boxes
        sample_by_image(task.model, processes=2)
        task.iterations, task.epoch_length = 3, 3 if name == "classification" else 100
        work = WorkFolder(out / f"work_{name}_{distributed.rank()}", "sha256:" + "0" * 64)
        history = run_loop(task, work, seed=1, title=name, log_interval=1, checkpoint_seconds=1e9)
        if distributed.rank() == 0:
            parameters = {key: p.tolist() for key, p in task.model.state_dict().items()}
            result = {"history": history, "model": parameters}
            (out / f"{name}.json").write_text(json.dumps(result))
    distributed.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
