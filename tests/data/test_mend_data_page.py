"""The lines of Python that docs/howto/mend_data.md gives for a message mend the file that has it."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.config.data import CocoDetection
from pipeline.data.coco import check_detection
from pipeline.data.defects import DatasetError

PAGE = (Path(__file__).parents[2] / "docs/howto/mend_data.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
PREFACE = BLOCK.findall(PAGE)[0]
WIDTH, HEIGHT = 40, 30
SOUND = {
    "images": [
        {"id": n, "file_name": f"{n}.png", "width": WIDTH, "height": HEIGHT} for n in range(3)
    ],
    "annotations": [
        {"id": n, "image_id": n // 2, "category_id": 1 + n % 2, "bbox": [2 + n, 3, 20, 10]}
        for n in range(5)
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
}
Content = dict[str, list[dict[str, Any]]]
Spoil = Callable[[Content, Path], object]


def lines_for(message: str, number: int = 0) -> str:
    """The block of code, the first or a later one, below a message of the page."""
    assert PAGE.count(message) == 1, message
    return BLOCK.findall(PAGE.partition(message)[2])[number]


def each(section: str, change: Callable[[dict[str, Any]], object]) -> Spoil:
    return lambda content, folder: [change(entry) for entry in content[section]]


def one(section: str, **values: Any) -> Spoil:
    return lambda content, folder: content[section][2 % len(content[section])].update(values)


def add(section: str, **values: Any) -> Spoil:
    return lambda content, folder: content[section].append(content[section][0] | values)


def box(change: Callable[..., list[Any]]) -> Spoil:
    return each("annotations", lambda entry: entry.update(bbox=change(*entry["bbox"])))


def texts(content: Content, folder: Path) -> None:
    for entry in (*content["images"], *content["annotations"], *content["categories"]):
        entry.update({key: str(entry[key]) for key in entry if key.endswith("id")})


def named(content: Content, folder: Path) -> None:
    for key, section in (("id", "images"), ("image_id", "annotations")):
        for entry in content[section]:
            entry[key] = f"image {entry[key]}"


def other_ids(content: Content, folder: Path) -> None:
    content["categories"] = [{"id": 5, "name": "dog"}, {"id": 6, "name": "cat"}]
    for entry in content["annotations"]:
        entry["category_id"] = {1: 6, 2: 5}[entry["category_id"]]


def twice(content: Content, folder: Path) -> None:
    content["categories"].append({"id": 7, "name": "dog"})
    content["annotations"][1]["category_id"] = 7


def photo(content: Content, folder: Path, **settings: Any) -> None:
    name = f"photo.{settings.pop('ending')}"
    Image.new("RGB", settings.pop("size", (WIDTH, HEIGHT))).save(folder / name, **settings)
    content["images"][2]["file_name"] = name


def sideways(content: Content, folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(content, folder, ending="jpg", exif=exif.tobytes())


def frames(content: Content, folder: Path) -> None:
    other = Image.new("RGB", (WIDTH, HEIGHT), "red")
    photo(content, folder, ending="gif", save_all=True, append_images=[other])


def resized(content: Content, folder: Path) -> None:
    for number in range(3):
        Image.new("RGB", (2 * WIDTH, 3 * HEIGHT)).save(folder / f"{number}.png")


KEPT = "the boxes that there were"
ROWS: dict[str, tuple[Spoil, str, str, int, Any]] = {
    # what is done, what the check says, the message on the page, which block, the boxes afterwards
    "other categories": (
        other_ids,
        "train alone has 1: cat",
        "**the same ones are listed",
        0,
        KEPT,
    ),
    "texts as ids": (texts, "its id is '0', not a whole", "**its id is …, not a whole", 0, KEPT),
    "names as ids": (named, "id is 'image 0', not a whole", "**its id is …, not a whole", 1, KEPT),
    "one id twice": (
        *(one("annotations", id=0), "has an id that an earlier one has"),
        *("**has an id that an earlier", 0, KEPT),
    ),
    "no such image": (
        *(add("annotations", id=9, image_id=8), "its image_id is 8, which no image has"),
        *("**its image_id is …, which", 0, KEPT),
    ),
    "no such category": (
        *(add("annotations", id=9, category_id=8), "its category_id is 8, which no category"),
        *("**its image_id is …, which", 0, KEPT),
    ),
    "one category twice": (
        *(twice, "has the name 'dog' of category 2", "**has the name … of category …**", 0, KEPT),
    ),
    "half a character": (
        *(one("categories", name="cat\ud800"), "holds half a character"),
        *("which holds half a character**", 0, KEPT),
    ),
    "fractions": (
        box(lambda x, y, w, h: [x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT]),
        *("they look like fractions of the image", "**they look like fractions", 0, KEPT),
    ),
    "corners": (
        box(lambda x, y, w, h: [x, y, x + w + 10, y + h + 10]),
        *("they look like corners", "**they look like corners", 0),
        [
            [x, y, w + 10, h + 10]
            for x, y, w, h in (entry["bbox"] for entry in SOUND["annotations"])
        ],
    ),
    "negative": (
        box(lambda x, y, w, h: [x + w, y + h, -w, -h]),
        *("has a negative extent", "**has a negative extent", 0, KEPT),
    ),
    "out of the image": (
        *(one("annotations", bbox=[-5, 4, 60, 10]), "pixels out of image 1"),
        *("**reaches … pixels out of", 0, [0, 4, WIDTH, 10]),
    ),
    "thin": (
        *(add("annotations", id=9, bbox=[5, 5, 0.5, 9]), "is narrower than 1 pixel"),
        *("**is narrower than 1 pixel**", 0, KEPT),
    ),
    "texts as numbers": (
        box(lambda *values: [str(value) for value in values]),
        *("not the four numbers", "**its bbox is …, not the four numbers**", 0, KEPT),
    ),
    "no box": (
        *(add("annotations", id=9, bbox=None), "its bbox is None"),
        *("**its bbox … is not finite**", 0, KEPT),
    ),
    "an endless box": (
        *(add("annotations", id=9, bbox=[1, 1, float("inf"), 2]), "is not finite"),
        *("**its bbox … is not finite**", 0, KEPT),
    ),
    "flags in words": (
        *(each("annotations", lambda entry: entry.update(iscrowd="No")), "its iscrowd is 'No'"),
        *("**its iscrowd (or ignore) is", 0, KEPT),
    ),
    "backslashes": (
        each("images", lambda entry: entry.update(file_name="x\\" + entry["file_name"])),
        *("there is no such file, but", "**there is no such file, but …**", 0, KEPT),
    ),
    "absent": (
        *(add("images", id=9, file_name="9.png"), "there is no such file"),
        *("**there is no such file**, ", 0, KEPT),
    ),
    "frames": (frames, "holds 2 frames or pages", "**holds … frames or pages**", 0, KEPT),
    "sideways": (sideways, "its EXIF orientation may turn it", "EXIF orientation may", 0, KEPT),
    "no size": (
        *(each("images", lambda entry: entry.update(width=0)), "not two whole numbers above 0"),
        *("not two whole numbers above 0.**", 0, KEPT),
    ),
    "resized": (
        *(resized, "is 80 x 90, but", "not two whole numbers above 0.**", 1),
        [[2 * x, 3 * y, 2 * w, 3 * h] for x, y, w, h in (e["bbox"] for e in SOUND["annotations"])],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_lines_mend_the_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, told, message, number, boxes = ROWS[name]
    monkeypatch.chdir(tmp_path)
    for split in ("train", "val"):
        Path(split).mkdir()
        for image in SOUND["images"]:
            Image.new("RGB", (WIDTH, HEIGHT)).save(Path(split, image["file_name"]))
        Path(f"{split}.json").write_text(json.dumps(SOUND))
    spoilt = "val" if name == "other categories" else "train"
    content = copy.deepcopy(SOUND)
    spoil(content, Path(spoilt))
    Path(f"{spoilt}.json").write_text(json.dumps(content))
    paths = {s: {"annotations": f"{s}.json", "images": s} for s in ("train", "val")}
    config = CocoDetection.model_validate(paths)
    with pytest.raises(DatasetError) as caught:
        check_detection(config)
    assert told in str(caught.value)
    code = [PREFACE.replace('"train.json"', f'"{spoilt}.json"'), lines_for(message, number)]
    exec("\n".join([*code, 'json.dump(content, open(path, "w"))']), {})
    found = check_detection(config)[spoilt].annotations
    if boxes is KEPT:
        boxes = [entry["bbox"] for entry in SOUND["annotations"]]
    if isinstance(boxes[0], list):
        assert [entry["bbox"] for entry in found] == [pytest.approx(values) for values in boxes]
    else:
        assert found[2]["bbox"] == boxes


def test_an_older_encoding_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.json").write_text('{"name": "Hündin"}', encoding="latin-1")
    exec(lines_for("**is not text in UTF-8"), {"path": "train.json"})
    assert json.loads(Path("train.json").read_bytes()) == {"name": "Hündin"}


def test_a_class_is_left_out() -> None:
    scope = {"content": copy.deepcopy(SOUND)}
    exec(lines_for("**has … objects here and none").replace("the class", "dog"), scope)
    assert [entry["category_id"] for entry in scope["content"]["annotations"]] == [1, 1, 1]
