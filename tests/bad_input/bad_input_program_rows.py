"""Rows of the table of bad inputs: what a person may type at the programs of the package."""

from __future__ import annotations

from bad_input_row import DETECTION, Row, write
from bad_input_world import RUN

DATA = str(RUN / "data/detection")


def typed(program: str, name: str, line: tuple[str, ...], *message: str) -> Row:
    """A row of a program that is called with these arguments."""
    return Row(f"{program}: {name}", lambda world: None, program, message, line)


def _predict(name: str, line: tuple[str, ...], *message: str) -> Row:
    return typed("predict", name, line, *message)


PHOTO = "data/val/0.png"


def _begin(name: str, annotations: str, *message: str, more: tuple[str, ...] = ()) -> Row:
    line = ("--annotations", annotations, "--images", "data/train", "--device", "cpu", *more)
    return typed("begin", name, line, *message)


PROGRAM_ROWS = (
    _predict("no such detector", ("nowhere", PHOTO), "nowhere/manifest.json is missing"),
    _predict("a file as detector", (PHOTO, PHOTO), f"{PHOTO}/manifest.json cannot be read"),
    _predict(
        "another artifact as detector",
        (DATA, PHOTO),
        f"{DATA} is no detector folder: its manifest lists no config.py and no weights.safetensors",
    ),
    _predict("no such image", (DATA, "data/9.png"), "no such image: data/9.png"),
    _predict("a folder without images", (DATA, DATA), f"no image in {DATA}"),
    _predict("a pattern of nothing", (DATA, "data/*.gif"), "no such image: data/*.gif"),
    _predict("results into a folder", (DATA, PHOTO, "--json", "data"), "--json data is a folder"),
    _predict(
        "results over the image",
        (DATA, PHOTO, "--json", PHOTO),
        f"--json would write over the image {PHOTO}",
    ),
    _predict("a device as image", (DATA, "/dev/zero"), "no such image: /dev/zero"),
    _predict("a config as image", (DATA, "data/val.json"), "data/val.json is no image"),
    _predict(
        "a large image",
        (DATA, PHOTO, "--most-pixels", "1000"),
        f"{PHOTO} has 1,280 pixels, and at most 1,000 are read",
    ),
    _predict("a device of another kind", (DATA, PHOTO, "--device", "mps"), "--device mps is none"),
    _predict(
        "a device without a number", (DATA, PHOTO, "--device", "cuda:"), "--device cuda: is none"
    ),
    _predict(
        "a device that is not there", (DATA, PHOTO, "--device", "cuda:99"), "--device is cuda:99"
    ),
    Row(
        "predict: an empty image",
        write(PHOTO, b""),
        "predict",
        (f"{PHOTO} is empty",),
        (DATA, PHOTO),
    ),
    typed("artifacts", "no such run", ("verify", "nowhere"), "nowhere is no folder"),
    typed("artifacts", "a file as run", ("digests", PHOTO), f"{PHOTO} is no folder"),
    typed("artifacts", "nothing published", ("verify", "data"), "no stage has published anything"),
    typed("artifacts", "no artifact", ("lineage", "data"), "data/manifest.json is missing"),
    typed("artifacts", "no history", ("history", "data"), "data/history.jsonl is missing"),
    typed(
        "artifacts",
        "compared with a file",
        ("digests", str(RUN), "--against", PHOTO),
        f"{PHOTO} is no folder",
    ),
    typed("artifacts", "no such stage", ("code", "nowhere"), "no module pipeline.stages.nowhere"),
    typed("status", "no run", ("data",), "data/logs/jobs.json is missing"),
    typed("status", "a file as run", (PHOTO,), f"{PHOTO}/logs/jobs.json cannot be read"),
    typed(DETECTION, "many threads", ("--threads", str(10**12)), "--threads must be 1 to 65536"),
    typed(
        DETECTION, "a file as run", ("--run-folder", PHOTO), f"--run-folder {PHOTO} is no folder"
    ),
    typed(DETECTION, "deep settings", ("--settings", "[" * 100_000), "--settings is not JSON"),
    typed("doctor", "a folder as config", ("--configfile", "data"), "data cannot be read"),
    typed("doctor", "an image as config", ("--configfile", PHOTO), f"{PHOTO} is not text in UTF-8"),
    typed("doctor", "no such config", ("--configfile", "x.yaml"), "x.yaml cannot be read: No such"),
    _begin("no annotations", "nowhere", "--annotations nowhere: there is no such file or folder"),
    _begin("an image as annotations", PHOTO, f"--annotations {PHOTO} is a file, and not .json"),
    _begin(
        "images as annotations",
        "data/train",
        "--annotations data/train is a folder without .txt (YOLO) and .xml (Pascal VOC) in it",
    ),
    _begin("COCO's folder", "data", "COCO's annotations are one file: data/architecture.json, say"),
    _begin(
        "the images of another split",
        "data/val.json",
        "data/nowhere: there is no such folder",
        more=("--val-annotations", "data/val.json", "--val-images", "data/nowhere"),
    ),
    _begin(
        "half of a character",
        "data/train.json",
        "data.detection.coco.train.images: half of a surrogate pair is no text",
        more=("--images", "data/\udc80"),
    ),
    _begin(
        "the data as config",
        "data/train.json",
        "--out data/train.json would write over the data",
        more=("--out", "data/train.json", "--force"),
    ),
    _begin(
        "weights for a CPU",
        "data/train.json",
        "--weights starts a pool of the size of a ResNet-50, which is for a GPU",
        more=("--weights", "data/backbone.safetensors"),
    ),
    typed("plan", "half a config", ("--config-json", "{"), "the config is not JSON"),
    typed("plan", "an empty config", ("--config-json", ""), "the config is not JSON"),
    typed("plan", "a list as config", ("--config-json", "[]"), "holds no sections, but a list"),
    typed("plan", "no such file", ("--config-json", "@nowhere"), "nowhere is missing"),
    typed("plan", "a deep config", ("--config-json", "[" * 100_000), "the config is not JSON"),
)
