"""`python -m pipeline.begin`, from a folder of photographs to a config and what is said of it."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from made_photographs import Photograph, alike, save

from pipeline.begin import main
from pipeline.config.files import load_config_files
from pipeline.data.coco import check_detection
from pipeline.data.defects import DatasetError
from pipeline.own_config.given import Source

SOURCES: tuple[Source, ...] = ("coco", "yolo", "voc")
TEN = alike(10, 200, 100, (10, 10, 90, 40))


def begin(*line: str, device: str = "cpu") -> None:
    main([*line, "--device", device])


def line_for(annotations: str, images: str, *more: str) -> tuple[str, ...]:
    return ("--annotations", annotations, "--images", images, *more)


@pytest.mark.parametrize("source", SOURCES)
def test_the_format_is_told_by_what_is_there(
    source: Source,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save(tmp_path / "data", TEN, source)
    monkeypatch.chdir(tmp_path)
    labels = "data/labels.json" if source == "coco" else "./data/labels/"
    begin(*line_for(labels, "data//photos", "--out", "my trees.yaml"))
    written = yaml.safe_load(Path("my trees.yaml").read_text())
    names = {"names": "data/classes.txt"} if source == "yolo" else {}
    assert written["data"]["detection"] == {
        "source": source,
        source: {
            **names,
            "train": {"annotations": labels, "images": "data//photos"},
            "split": {"val": 0.2, "test": 0.2, "seed": 0},
        },
    }
    config = load_config_files([Path("my trees.yaml")])
    assert config.run.name == "my_trees" and config.run.device == "cpu"
    assert config.teacher_pool.space.resolutions == ((75, 38), (100, 50), (150, 75), (200, 100))
    assert config.supernet.input_size == (128, 224)
    # 6 images of 10 are left to train on
    assert config.teacher_pool.recalibration.images == 6
    found = capsys.readouterr().out
    assert "10 images in" in found and "10 objects of 1 class: cat" in found
    assert "train 6, val 2, test 2" in found
    # 60 × 60 pixels are as large as 90 × 40
    assert "the median one has 60 pixels at 200 × 100" in found
    assert "snakemake --cores 1 plan --configfile 'my trees.yaml'" in found
    assert "pipeline.doctor --configfile 'my trees.yaml'" in found
    assert " front --configfile 'my trees.yaml'" in found


def test_sets_that_are_there_are_not_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {
        split: save(tmp_path / split, TEN[:number], "yolo")
        for split, number in (("train", 5), ("val", 3), ("test", 2))
    }
    val = ("--val-annotations", places["val"][0], "--val-images", places["val"][1])
    test = ("--test-annotations", places["test"][0], "--test-images", places["test"][1])
    written = []
    for more in (val, test, (*val, *test)):
        begin(*line_for(*places["train"], *more))
        text, told = capsys.readouterr()
        written.append(yaml.safe_load(text)["data"]["detection"]["yolo"])
        assert "images in YOLO's format" in told
        assert ("without a test split" in text) is (more == val)
    only_val, only_test, both = written
    assert only_val.keys() == {"names", "train", "val"}
    assert only_test["split"] == {"val": 0.2, "seed": 0} and "test" in only_test
    assert both.keys() == {"names", "train", "val", "test"}
    assert both["val"] == {"annotations": places["val"][0], "images": places["val"][1]}


def test_sets_may_lie_in_one_folder_of_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As most COCO datasets do: a file of annotations for each split, and all images together."""
    annotations, images = save(tmp_path, TEN, "coco")
    content = json.loads(Path(annotations).read_text())
    val = tmp_path / "val.json"
    for path, part in ((Path(annotations), slice(0, 7)), (val, slice(7, 10))):
        split = {key: content[key][part] for key in ("images", "annotations")}
        path.write_text(json.dumps(content | split))
    begin(*line_for(annotations, images, "--val-annotations", str(val)))
    text, told = capsys.readouterr()
    assert yaml.safe_load(text)["data"]["detection"]["coco"] == {
        "train": {"annotations": annotations, "images": images},
        "val": {"annotations": str(val), "images": images},
    }
    assert "train 7, val 3 images" in told


def test_sets_of_yolo_need_folders_of_their_own(tmp_path: Path) -> None:
    """Else those of val would be trained on as images without objects."""
    place = save(tmp_path, TEN, "yolo")
    message = r"val and train have one folder of images.*--val-images"
    with pytest.raises(SystemExit, match=message):
        begin(*line_for(*place, "--val-annotations", place[0]))
    with pytest.raises(SystemExit):
        begin(*line_for(*place, "--test-images", place[1]))


def test_what_may_not_be_meant_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A division into folders that is given up, and classes without an object; most objects first."""
    labels, images = save(tmp_path, [Photograph(90, 50, [("screw", (3, 5, 30, 10))]), *TEN], "yolo")
    (tmp_path / "classes.txt").write_text("cat\ndog\nbolt\n")
    for folder in (labels, images):
        for number, file in enumerate(sorted(Path(folder).iterdir())):
            place = Path(folder) / ("train" if number < 8 else "val")
            place.mkdir(exist_ok=True)
            file.rename(place / file.name)
    begin(*line_for(labels, images))
    told = capsys.readouterr().err
    assert "11 objects of 3 classes: cat 10, dog 1, bolt 0" in told
    assert "note: 1 of 3 classes have no object: bolt;" in told
    assert "note: the images lie in folders train, val, and are divided anew" in told
    split = ("--val-annotations", f"{labels}/val", "--val-images", f"{images}/val")
    begin(*line_for(f"{labels}/train", f"{images}/train", *split))
    told = capsys.readouterr().err
    assert "divided anew" not in told
    assert f"class names: {tmp_path}/classes.txt" in told


def test_files_of_class_names_have_to_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong one would name every object wrongly, and nothing would fail."""
    place = save(
        tmp_path, [Photograph(90, 50, [("cat", (3, 5, 9, 9)), ("dog", (3, 5, 9, 9))])] * 9, "yolo"
    )
    (tmp_path / "dataset.yaml").write_text("names: [dog, cat]\n")
    with pytest.raises(
        SystemExit, match=r"different class names or numbers \(dog, cat; cat, dog\).*--names"
    ):
        begin(*line_for(*place))
    (tmp_path / "dataset.yaml").write_text("names: {0: cat, 2: dog}\n")
    with pytest.raises(SystemExit, match=r"or numbers \(cat, dog; cat, dog\)"):
        begin(*line_for(*place))
    (tmp_path / "dataset.yaml").write_text("names: {0: cat, 1: dog}\n")
    begin(*line_for(*place))
    with pytest.raises(SystemExit, match=r"dataset\.yaml is YOLO's list of classes.*--names"):
        begin(*line_for(str(tmp_path / "dataset.yaml"), place[1]))


def test_a_side_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # 10 × 10 pixels: 5 at 320
    small = [Photograph(480, 640, [("cat", (5, 5, 10, 10)), ("dog", (40, 40, 10, 10))])] * 10
    place = save(tmp_path, small, "voc")

    def sizes(*more: str) -> tuple[list[list[int]], str]:
        begin(*line_for(*place, *more))
        text, told = capsys.readouterr()
        return yaml.safe_load(text)["teacher_pool"]["space"]["resolutions"], told

    resolutions, told = sizes()
    assert resolutions == [[120, 90], [160, 120], [240, 180], [320, 240]]
    assert "the median object has 5 pixels" in told and "--side 512 makes it 8" in told
    # 2.56 times as many pixels
    assert "2.6 times as slow" in told
    resolutions, told = sizes("--side", "512")
    assert resolutions[-1] == [512, 384] and "detectors find few" not in told
    resolutions, told = sizes("--side", "1000")
    assert resolutions[-1] == [640, 480]
    assert "--side 1000 is more than the images have; 640 is taken" in told


def test_bad_data_are_told_as_the_run_tells_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, images = save(tmp_path, [*TEN, Photograph(50, 50, [("cat", (30, 5, 30, 10))])], "coco")
    (tmp_path / "photos/003.png").unlink()
    out = tmp_path / "mine.yaml"
    with pytest.raises(SystemExit) as end:
        begin(*line_for(labels, images, "--out", str(out)))
    told = str(end.value)
    assert not out.exists()
    assert "missing image (1)" in told and str(tmp_path / "photos/003.png") in told
    assert "box outside its image (1)" in told and "reaches 10 pixels out of" in told

    (tmp_path / "photos/003.png").write_bytes((tmp_path / "photos/004.png").read_bytes())
    with pytest.raises(SystemExit, match="--tolerated-boxes"):
        begin(*line_for(labels, images, "--out", str(out)))
    begin(*line_for(labels, images, "--out", str(out), "--tolerated-boxes", "0.1"))
    detection = load_config_files([out]).data.detection.active
    check_detection(detection)  # type: ignore[arg-type]
    with pytest.raises(DatasetError):
        check_detection(detection.model_copy(update={"tolerated_boxes": 0.0}))  # type: ignore[arg-type]


def test_corners_from_zero_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, images = save(tmp_path, TEN, "voc")
    file = Path(labels) / "000.xml"
    file.write_text(file.read_text().replace("<xmin>11<", "<xmin>0<"))
    with pytest.raises(SystemExit, match="With --first-pixel 0"):
        begin(*line_for(labels, images))
    begin(*line_for(labels, images, "--first-pixel", "0"))
    assert yaml.safe_load(capsys.readouterr().out)["data"]["detection"]["voc"]["first_pixel"] == 0


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    place = save(tmp_path / "data", TEN, "coco")
    out = tmp_path / "mine.yaml"
    out.write_text("run: {name: precious}\n")
    with pytest.raises(SystemExit, match="is there already: --force writes over it"):
        begin(*line_for(*place, "--out", str(out)))
    assert out.read_text() == "run: {name: precious}\n"
    begin(*line_for(*place, "--out", str(out), "--force"))
    assert load_config_files([out]).run.name == "mine"
    with pytest.raises(SystemExit, match="would write over the data"):
        begin(*line_for(*place, "--out", place[0], "--force"))
    assert len(json.loads(Path(place[0]).read_text())["images"]) == 10


def test_what_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    labels, images = save(tmp_path / "data", TEN, "yolo")
    (tmp_path / "data/classes.txt").rename(tmp_path / "kinds.txt")
    with pytest.raises(SystemExit, match=r"no file of the class names.*--names"):
        begin(*line_for(labels, images))
    begin(*line_for(labels, images, "--names", str(tmp_path / "kinds.txt")))
    with pytest.raises(SystemExit, match=r"is a folder without \.txt"):
        begin(*line_for(images, images))
    (Path(labels) / "000.xml").write_text("<annotation/>")
    with pytest.raises(SystemExit, match=r"holds 000\.txt and 000\.xml"):
        begin(*line_for(labels, images))
    begin(*line_for(labels, images, "--source", "yolo", "--names", str(tmp_path / "kinds.txt")))
    with pytest.raises(SystemExit, match="--names is for YOLO's format"):
        begin(*line_for(labels, images, "--source", "voc", "--names", "x"))


def test_a_gpu_gets_larger_networks_and_weights_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torchvision = pytest.importorskip("torchvision")
    import torch

    place = save(tmp_path / "data", TEN, "coco")
    begin(*line_for(*place), device="cuda")
    text, told = capsys.readouterr()
    grown = yaml.safe_load(text)
    assert grown["run"]["device"] == "cuda" and "--weights FILE" in told
    weights = tmp_path / "resnet50.pth"
    torch.save(torchvision.models.resnet50().state_dict(), weights)
    begin(*line_for(*place, "--weights", str(weights)), device="cuda")
    started = yaml.safe_load(capsys.readouterr().out)
    assert started["teacher_pool"]["pretrained"]["checkpoint"] == str(weights)
    assert started["teacher_pool"]["space"]["base_channels"] == 64
    with pytest.raises(SystemExit, match="which is for a GPU"):
        begin(*line_for(*place, "--weights", str(weights)))
    torch.save(torchvision.models.resnet18().state_dict(), weights)
    with pytest.raises(SystemExit, match=r"layer1\.0\.conv3\.weight"):
        begin(*line_for(*place, "--weights", str(weights)), device="cuda")


@settings(max_examples=25, deadline=None)
@given(
    source=st.sampled_from(SOURCES),
    sizes=st.lists(st.tuples(st.integers(4, 700), st.integers(4, 700)), min_size=3, max_size=9),
    classes=st.integers(1, 4),
    side=st.one_of(st.none(), st.integers(32, 900)),
)
def test_any_photographs_become_a_config(
    tmp_path_factory: pytest.TempPathFactory,
    source: Source,
    sizes: list[tuple[int, int]],
    classes: int,
    side: int | None,
) -> None:
    """Every image has an object of every class, so that each split has one."""
    folder = tmp_path_factory.mktemp("any")
    photographs = [
        Photograph(w, h, [(f"class {n}", (1, 1, w - 2, h - 2)) for n in range(classes)])
        for w, h in sizes
    ]
    place, out = save(folder / "data", photographs, source), folder / "mine.yaml"
    begin(*line_for(*place, "--out", str(out), *(("--side", str(side)) if side else ())))
    config = load_config_files([out])
    largest = max(config.teacher_pool.space.resolutions)
    assert largest[0] <= min(side or 320, sorted(map(max, sizes))[len(sizes) // 2])
    shutil.rmtree(folder)
