"""The embedded data must be learnt from its digits: priors and backgrounds give nothing away."""

from pathlib import Path

import pytest
import torch
import yaml

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.config.data import EmbeddedDetection
from pipeline.config.evaluation import TrainingConfig
from pipeline.config.root import load_config
from pipeline.data.embedded import write_detection
from pipeline.data.embedded_sources import CLASSES
from pipeline.data.index import SplitPaths
from pipeline.detection.builder import Surroundings, build_detector
from pipeline.detection.dataset import build_dataset
from pipeline.detection.training import DetectorTraining
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.training.loop import run_loop
from pipeline.training.seeding import seed_everything

ROOT = Path(__file__).parents[2]
CONFIG = load_config(yaml.safe_load((ROOT / "config" / "config.yaml").read_text()))


def ap50_after_training(folder: Path, *, background_only: bool) -> float:
    """AP50 on ordinary validation images after 4 epochs on 320 training images."""
    settings = EmbeddedDetection(train_images=320, val_images=60)
    folder.mkdir()
    write_detection(settings, folder, background_only=background_only)
    real = folder.with_name("real")
    train = SplitPaths(folder / "annotations/train.json", folder / "images/train")
    val = SplitPaths(real / "annotations/val.json", real / "images/val")
    seed_everything(0)
    around = Surroundings(CONFIG.detector, CONFIG.testing, CONFIG.normalization)
    plain = {"backbone": "conv_k3_d1", "neck": "conv_k3_d1", "head": "conv_k3_d1"}
    shape = CONFIG.supernet.model_copy(update={"depth": (1, 1, 2, 1)})
    model = build_detector(supernet_architecture(shape, 10, shape.depth, plain), around)
    classes = list(CLASSES)
    task = DetectorTraining(
        model,
        TrainingConfig(epochs=4, batch_size=4, optimizer=CONFIG.training.optimizer),
        build_dataset(train, classes, CONFIG.detector, train=True),
        (build_dataset(val, classes, CONFIG.detector, train=False), val.annotations),
        seed=0,
    )
    task.settings = task.settings.model_copy(update={"validation_interval": 4})
    work = WorkFolder(folder / "work", "sha256:" + "0" * 64)
    run_loop(task, work, seed=0, title="embedded", log_interval=100, checkpoint_seconds=1e9)
    return task.metrics["AP50"]


@pytest.mark.slow
def test_a_detector_trained_on_backgrounds_detects_nothing(tmp_path):
    torch.set_num_threads(1)
    seen = ap50_after_training(tmp_path / "real", background_only=False)
    blind = ap50_after_training(tmp_path / "blind", background_only=True)
    # seen when written: 0.106 and 0.0006
    assert blind < 0.03
    assert seen > max(0.05, 5 * blind), (seen, blind)
