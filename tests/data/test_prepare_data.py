"""What the stages that prepare data write, and the ImageFolder check."""

import json
from pathlib import Path

import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from pipeline.artifacts.errors import ArtifactError
from pipeline.config.data import (
    CocoDetection,
    EmbeddedClassification,
    EmbeddedDetection,
    ImageFolderClassification,
)
from pipeline.data.defects import DatasetError
from pipeline.data.image_folder import check_classification, class_images
from pipeline.data.index import DatasetIndex
from pipeline.data.prepare import prepare_classification, prepare_detection

FEW = EmbeddedDetection(train_images=10, val_images=4, image_size=96, object_size=(16, 60))


def test_the_embedded_detection_set_and_the_same_files_as_a_users_own(tmp_path, monkeypatch):
    made, indexed = tmp_path / "made", tmp_path / "indexed"
    made.mkdir()
    indexed.mkdir()
    prepare_detection(FEW, made)
    index = DatasetIndex.load(made / "dataset.json")
    assert (index.kind, index.content.source) == ("detection", "embedded")
    assert index.classes == tuple("0123456789")
    assert index.split("val").annotations == made / "annotations/val.json"
    annotations = json.loads(index.split("train").annotations.read_text())["annotations"]
    counted = index.statistics["train"]
    assert counted["images"] == 10
    assert counted["objects"] == len(annotations)
    assert counted["small"] == sum(a["area"] < 1024 for a in annotations)
    assert counted["objects"] == counted["small"] + counted["medium"] + counted["large"]

    monkeypatch.chdir(tmp_path)
    splits = {
        split: {"annotations": f"made/annotations/{split}.json", "images": f"made/images/{split}"}
        for split in ("train", "val")
    }
    prepare_detection(CocoDetection.model_validate({**splits}), indexed)
    assert sorted(path.name for path in indexed.iterdir()) == ["annotations", "dataset.json"]
    monkeypatch.chdir("/")
    own = DatasetIndex.load(indexed / "dataset.json")
    assert own.content.source == "coco"
    assert own.split("val").images == index.split("val").images
    theirs = json.loads(index.split("val").annotations.read_text())
    ours = json.loads(own.split("val").annotations.read_text())
    assert list(ours) == ["images", "annotations", "categories"]
    for name in ours:
        kept = [{key: entry[key] for key in ours[name][0]} for entry in theirs[name]]
        assert ours[name] == kept
    assert (own.classes, own.statistics) == (index.classes, index.statistics)
    with pytest.raises(ValueError, match="is a detection dataset"):
        own.folder("train")


def test_the_embedded_classification_set_is_what_torchvision_reads(tmp_path):
    few = EmbeddedClassification(train_images_per_class=2, val_images_per_class=1, image_size=32)
    prepare_classification(few, tmp_path)
    index = DatasetIndex.load(tmp_path / "dataset.json")
    for split, folder, count in (
        ("train", index.folder("train"), 20),
        ("val", index.folder("val"), 10),
    ):
        images = ImageFolder(str(folder))
        assert tuple(images.classes) == index.classes
        assert len(images) == index.statistics[split]["images"] == count
    with pytest.raises(ValueError, match="is a classification dataset"):
        index.split("train")


def test_nothing_is_written_for_a_defective_dataset(tmp_path):
    nowhere = {"annotations": str(tmp_path / "a.json"), "images": str(tmp_path / "i")}
    target = tmp_path / "out"
    target.mkdir()
    config = CocoDetection.model_validate({"train": nowhere, "val": nowhere})
    with pytest.raises(DatasetError, match=r"2 defects"):
        prepare_detection(config, target)
    with pytest.raises(DatasetError, match=r"2 defects"):
        prepare_classification(
            ImageFolderClassification(train=str(tmp_path / "x"), val="y/z"),
            target,
        )
    assert not list(target.iterdir())


@pytest.mark.parametrize("text", ["{", "{}", '{"kind": "detection", "format": 2}'])
def test_an_index_in_another_format_is_refused(tmp_path, text):
    path = tmp_path / "dataset.json"
    path.write_text(text)
    with pytest.raises(ArtifactError, match="is not a dataset index"):
        DatasetIndex.load(path)


def image_folder(root: Path) -> ImageFolderClassification:
    for split in ("train", "val"):
        for name in ("ant", "bee"):
            (root / split / name / "deeper").mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(root / split / name / "deeper" / "1.png")
            Image.new("RGB", (8, 8)).save(root / split / name / "2.JPG")
            (root / split / name / "notes.txt").write_text("no image")
    return ImageFolderClassification(train=str(root / "train"), val=str(root / "val"))


def test_images_are_those_that_torchvision_finds(tmp_path):
    config = image_folder(tmp_path)
    assert check_classification(config) == (["ant", "bee"], {"train": 4, "val": 4})
    found = [str(path) for paths in class_images(Path(config.val)).values() for path in paths]
    assert found == [path for path, _ in ImageFolder(config.val).samples]


def test_all_defects_of_an_image_folder_are_reported_together(tmp_path):
    config = image_folder(tmp_path)
    (tmp_path / "train" / "cat").mkdir()
    (tmp_path / "val" / "dog").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "val" / "dog" / "1.png")
    broken = tmp_path / "val" / "bee" / "2.JPG"
    broken.write_bytes(broken.read_bytes()[:300])
    with pytest.raises(DatasetError) as caught:
        check_classification(config)
    found = sorted((d.kind, d.file.relative_to(tmp_path).as_posix()) for d in caught.value.defects)
    assert found == [
        ("classes differ", "train"),
        ("classes differ", "val"),
        ("empty class", "train/cat"),
        ("unreadable image", "val/bee/2.JPG"),
    ]
    assert "there is no folder cat, a class of train" in str(caught.value)


def test_a_folder_without_classes(tmp_path):
    (tmp_path / "1.png").touch()
    config = ImageFolderClassification(train=str(tmp_path), val=str(tmp_path / "none"))
    with pytest.raises(DatasetError) as caught:
        check_classification(config)
    assert [defect.kind for defect in caught.value.defects] == ["no classes", "image folder"]
