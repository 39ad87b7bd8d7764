"""Backbone pretraining: transforms, a separable task, α that stays, and validation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from pipeline.artifacts.checkpoints import WorkFolder
from pipeline.config.data import ImageFolderClassification
from pipeline.config.detector import Normalization
from pipeline.config.optimization import Classification, Optimizer
from pipeline.config.supernet import SupernetConfig
from pipeline.data.prepare import prepare_classification
from pipeline.hit_detector.pretraining import backbone_pretraining, pretrained_files
from pipeline.hit_detector.spaces import search_architecture
from pipeline.supernet.choice import choice_layers
from pipeline.training import classification
from pipeline.training.loop import run_loop

COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}
SHAPE = SupernetConfig(
    input_size=(32, 32), stem_channels=4, channels=(4, 6, 6, 8), depth=(1, 1, 1, 1), neck_channels=4
)
SETTINGS = Classification(
    epochs=20,
    batch_size=12,
    image_size=64,
    log_interval=10,
    optimizer=Optimizer(type="adamw", lr=0.02),
)


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of one noisy colour each, which any network can tell apart."""
    folder = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        for name, colour in COLOURS.items():
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(np.array(colour) * 0.6 + rng.normal(40, 20, (40, 40, 3)), 0, 255)
                Image.fromarray(pixels.astype(np.uint8)).save(
                    folder / split / name / f"{number}.png"
                )
    index = folder / "index"
    index.mkdir()
    config = ImageFolderClassification(train=str(folder / "train"), val=str(folder / "val"))
    prepare_classification(config, index)
    return index


def _task(index: Path, paths: int | None, normalization: Normalization | None = None) -> Any:
    torch.manual_seed(0)
    architecture = search_architecture(
        SHAPE,
        {
            "backbone": ("conv_k3_d1", "ir_k3_d1_e3", "sep_k3_d1"),
            "neck": "conv_k3_d1",
            "head": "conv_k3_d1",
        },
    )
    return backbone_pretraining(
        architecture,
        index,
        SETTINGS.model_copy(update={"paths": paths}),
        normalization or Normalization(),
        seed=1,
        device=torch.device("cpu"),
    )


@pytest.mark.parametrize(("paths", "reached"), [(None, 0.95), (2, 0.7)])
def test_a_supernet_learns_with_alpha_as_it_was(
    colours: Path, paths: int | None, reached: float, tmp_path: Path
) -> None:
    task = _task(colours, paths)
    layers = choice_layers(task.model)
    assert len(layers) == 4
    for number, layer in enumerate(layers.values()):
        layer.alpha.data += torch.tensor([0.1, 0.0, -0.2]) * number
    before = {name: layer.alpha.detach().clone() for name, layer in layers.items()}
    work = WorkFolder(tmp_path, "sha256:" + "0" * 64)
    history = run_loop(
        task, work, seed=0, title="pretraining", log_interval=10, checkpoint_seconds=1e9
    )
    for name, layer in layers.items():
        assert torch.equal(layer.alpha, before[name])
    losses = [record["loss"] for record in history if "loss" in record]
    accuracies = [record["accuracy"] for record in history if "accuracy" in record]
    # sampled paths train each candidate less, and mix different ones each step; chance is a third
    assert losses[-1] < losses[0] / 2 and accuracies[-1] > reached
    # once, after the last epoch
    assert [record["epoch"] for record in history if "validation_accuracy" in record] == [20]
    assert task.accuracy == history[-1]["validation_accuracy"]
    assert task.accuracy == 1.0 or paths is not None
    files = pretrained_files(task, history)
    assert set(files) == {"weights.safetensors", "metrics.json", "history.json"}


def test_sampled_paths_are_validated_by_sampled_paths(colours: Path, tmp_path: Path) -> None:
    """Whatever the running statistics are: a candidate drawn a few times has hardly any."""
    task = _task(colours, 2)
    work = WorkFolder(tmp_path, "sha256:" + "0" * 64)
    run_loop(task, work, seed=0, title="pretraining", log_interval=10, checkpoint_seconds=1e9)
    for module in task.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    # the validation set is one batch, so a validation draws one path of a layer's three pairs
    accuracies = [task.validate() for _ in range(20)]
    assert np.mean(accuracies) > 0.7
    task.sampled = False
    assert task.validate() < 0.7
    assert all(torch.equal(value, before[name]) for name, value in task.model.state_dict().items())


def test_validation_counts_right_answers_and_goes_back_to_training(colours: Path) -> None:
    task = _task(colours, None)
    task.model.train()

    class _Says(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tensor([0.0, 1.0, 0.5]).expand(len(images), 3)

    head = task.model
    task.model = _Says()
    task.model.fc = head.fc
    # green is a third of the images
    assert task.validate() == pytest.approx(1 / 3)
    assert task.model.training


def test_images_enter_as_the_detector_s_do(colours: Path) -> None:
    """RGB, normalised by mean and deviation in units of 0 to 255."""
    image = Image.new("RGB", (50, 40), (200, 100, 0))
    normalization = Normalization(mean=(100, 50, 10), std=(50, 25, 5))
    task = _task(colours, None, normalization)
    for make in (classification.train_transform, classification.test_transform):
        tensor = make(SETTINGS)(image)
        assert tensor.shape == (3, 64, 64) and tensor.dtype == torch.uint8
        prepared = task.prepared(tensor[None])[0]
        assert [float(channel.mean()) for channel in prepared] == pytest.approx([2, 2, -2])


def test_normalising_a_batch_gives_the_bits_of_normalising_each_image(colours: Path) -> None:
    normalization = Normalization(mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395))
    images = torch.randint(0, 256, (5, 3, 31, 33), dtype=torch.uint8)
    alone = v2.Compose(
        [v2.ToDtype(torch.float32), v2.Normalize(list(normalization.mean), list(normalization.std))]
    )
    prepared = _task(colours, None, normalization).prepared(images)
    assert torch.equal(prepared, torch.stack([alone(image) for image in images]))


def test_test_images_are_the_centre(colours: Path) -> None:
    # a black square in the middle of a white image twice as wide as high
    pixels = np.full((64, 128, 3), 255, np.uint8)
    pixels[:, 32:96] = 0
    tensor = classification.test_transform(SETTINGS)(Image.fromarray(pixels))
    assert not tensor.any()
