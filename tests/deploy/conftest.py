"""Detector folders of every kind, and the files exported from them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from exported_detectors import Exported, detector_folder
from PIL import Image

from pipeline.deploy.loading import image_scale, open_detector
from pipeline.deploy.sample_images import made_images
from pipeline.deploy.writing import describe, write_onnx


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    """The folder of a kind's detector, what mmdet makes of it, and its file."""
    place = tmp_path_factory.mktemp("exported")

    @cache
    def make(kind: str) -> Exported:
        folder = detector_folder(kind, place / kind.replace(" ", "_"))
        model = open_detector(folder)
        path = folder.with_suffix(".onnx")
        about = describe(model, model.dataset_meta["classes"], image_scale(model))
        write_onnx(model, about, path)
        return Exported(folder, model, path)

    return make


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of several sizes and proportions, some larger than a detector sees them, some smaller."""
    folder = tmp_path_factory.mktemp("images")
    paths = []
    for number, pixels in enumerate(made_images(190, seed=1)):
        paths.append(folder / f"{number}.png")
        Image.fromarray(np.asarray(pixels)).save(paths[-1])
    return paths
