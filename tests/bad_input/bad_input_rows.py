"""The table of bad inputs: datasets, classes, checkpoints and settings; `bad_input_row` tells how to add."""

from __future__ import annotations

import pickle

import torch
from bad_input_row import (
    CLASSIFICATION,
    DETECTION,
    WEIGHTS,
    Payload,
    Row,
    checkpoint,
    checkpoint_bytes,
    configure,
    cut,
    cut_checkpoint,
    edit,
    foreign_backbone,
    write,
)
from bad_input_world import CONFIG

NAN = float("nan")

ANNOTATIONS = (
    Row(
        "annotations are missing",
        lambda world: world.annotations("val").unlink(),
        DETECTION,
        ("[val] data/val.json", "there is no such file"),
    ),
    Row(
        "annotations are cut off",
        cut("data/train.json", 0.6),
        DETECTION,
        ("1 defect", "[train] data/train.json", "is not JSON", "it ends early"),
    ),
    Row(
        "annotations are empty",
        write("data/test.json", b""),
        DETECTION,
        ("[test] data/test.json", "it ends early"),
    ),
    Row(
        "annotations are a list",
        write("data/val.json", b"[1, 2]"),
        DETECTION,
        ("[val] data/val.json", "is not in COCO format", "a list"),
    ),
    Row(
        "annotations are of another format",
        write("data/val.json", b'{"shapes": [], "imagePath": "0.png"}'),
        DETECTION,
        ("[val] data/val.json", "no list images", "no list annotations", "no list categories"),
    ),
    Row(
        "annotations are an image",
        lambda world: world.annotations("val").write_bytes(
            (world.folder / "data/val/0.png").read_bytes()
        ),
        DETECTION,
        ("[val] data/val.json", "is not text"),
    ),
    Row(
        "box with NaN",
        edit("train", "annotations", 1, bbox=[1, NAN, 5, 5]),
        DETECTION,
        ("1 defect", "[train] data/train.json, annotation 11", "is not finite"),
    ),
    Row(
        "area is NaN",
        edit("test", "annotations", 2, area=NAN),
        DETECTION,
        ("[test] data/test.json, annotation 12", "its area is nan", "not a finite number"),
    ),
    Row(
        "box with a negative width",
        edit("test", "annotations", 2, bbox=[9, 9, -4, 5]),
        DETECTION,
        ("1 defect", "[test] data/test.json, annotation 12", "negative extent"),
    ),
    Row(
        "box left of its image",
        edit("val", "annotations", 3, bbox=[-9, 0, 12, 5]),
        DETECTION,
        ("[val] data/val.json, annotation 13", "reaches 9 pixels out of image 1 (1.png"),
    ),
    Row(
        "category that no list has",
        edit("train", "annotations", 0, category_id=99),
        DETECTION,
        ("annotation 10", "its category_id is 99, which no category has"),
    ),
    Row(
        "image is missing",
        lambda world: (world.folder / "data/train/2.png").unlink(),
        DETECTION,
        ("[train] data/train/2.png, image 2", "there is no such file"),
    ),
    Row(
        "image is cut off",
        cut("data/test/1.png", 0.5),
        DETECTION,
        ("[test] data/test/1.png, image 1", "truncated"),
    ),
)

CLASS_LISTS = (
    Row(
        "class has another name in val",
        edit("val", "categories", 1, name="wolf"),
        DETECTION,
        ("categories differ", "data/val.json", "train alone has 4: dog; val alone has 4: wolf"),
    ),
    Row(
        "class list of test has one more",
        lambda world: world.edit(
            "test", lambda content: content["categories"].append({"id": 9, "name": "owl"})
        ),
        DETECTION,
        ("[train/test] data/test.json", "test alone has 9: owl"),
    ),
    Row(
        "class list of val in another order",
        lambda world: world.edit("val", lambda content: content["categories"].reverse()),
        DETECTION,
        ("[train/val] data/val.json", "listed in another order"),
    ),
    Row(
        "class list of the config lacks one",
        configure(data__detection__coco__classes=["cat"]),
        DETECTION,
        ("data/train.json", "against data.detection.classes", "it also has dog"),
    ),
    Row(
        "class folders differ",
        lambda world: (
            world.source("image_folder"),
            (world.folder / "data/folders/val/dog").rename(world.folder / "data/folders/val/owl"),
        ),
        CLASSIFICATION,
        ("data/folders/val: there is no folder dog", "data/folders/train: there is no folder owl"),
    ),
)

CHECKPOINTS = (
    Row(
        "checkpoint is missing",
        configure(
            data__classification__source="checkpoint",
            data__classification__checkpoint__backbone="data/nowhere.pth",
        ),
        WEIGHTS,
        ("data/nowhere.pth is missing",),
    ),
    Row(
        "safetensors are cut off",
        cut_checkpoint("data/given.safetensors", 0.5),
        WEIGHTS,
        ("data/given.safetensors", "cut off or not a safetensors file"),
    ),
    Row(
        "PyTorch checkpoint is cut off",
        cut_checkpoint("data/given.pth", 0.5),
        WEIGHTS,
        ("data/given.pth", "cut off"),
    ),
    Row(
        "checkpoint is a text",
        checkpoint_bytes("data/given.pth", b"version https://git-lfs.github.com/spec/v1\n"),
        WEIGHTS,
        ("data/given.pth", "cut off", "no PyTorch checkpoint"),
    ),
    Row(
        "checkpoint holds code",
        checkpoint({"state_dict": {"stem.0.weight": torch.ones(2)}, "hook": Payload()}),
        WEIGHTS,
        ("data/given.pth", "would run code", "weights_only=True"),
    ),
    Row(
        "checkpoint is a bare pickle",
        checkpoint_bytes("data/given.pth", pickle.dumps(Payload(), protocol=2)),
        WEIGHTS,
        ("data/given.pth", "weights_only=True"),
    ),
    Row(
        "checkpoint is of another kind",
        checkpoint_bytes("data/given.h5", b"\x89HDF"),
        WEIGHTS,
        ("data/given.h5 is no checkpoint", "must end in .safetensors, .pth"),
    ),
    Row(
        "checkpoint holds a list",
        checkpoint([torch.ones(2)]),
        WEIGHTS,
        ("data/given.pth holds a list, not tensors by name",),
    ),
    Row(
        "checkpoint holds other things than tensors",
        checkpoint({"state_dict": {"stem.0.weight": torch.ones(2), "epoch": 3}}),
        WEIGHTS,
        ("data/given.pth: epoch is no tensor",),
    ),
    Row(
        "checkpoint holds NaN",
        checkpoint({"stem.0.weight": torch.tensor([1.0, NAN])}),
        WEIGHTS,
        ("data/given.pth: stem.0.weight is not finite",),
    ),
    Row(
        "checkpoint is of another network",
        foreign_backbone,
        "train_detector",
        (
            "data/given.pth does not fit the network",
            "missing (1): stem.1.weight",
            "of another shape (1): stem.0.weight (8, 3, 3, 3), not (4, 3, 3, 3)",
            "is of a network at width 1",
            "of another shape (1): stem.0.weight (8, 3, 3, 3), not (4, 3, 3, 3)",
        ),
        slow=True,
    ),
    Row(
        "no checkpoint is named",
        configure(data__classification__checkpoint={}),
        CONFIG,
        ("data.classification.checkpoint: no file is given", "backbone, screening_supernet"),
    ),
)

SETTINGS = (
    Row(
        "operation that does not exist",
        configure(screening__candidates=["conv_k3_d1", "sep_k3_d1", "pool_k3"]),
        CONFIG,
        ("screening.candidates.2: unknown operation 'pool_k3'", "expected ir_k<kernel>"),
    ),
    Row(
        "default operation that does not exist",
        configure(screening__defaults={"neck": "pool_k3"}),
        CONFIG,
        ("screening.defaults.neck: unknown operation 'pool_k3'",),
    ),
    Row(
        "N_b larger than the space",
        configure(
            screening__candidates=["conv_k3_d1", "sep_k3_d1"],
            screening__keep={"backbone": 3, "neck": 2, "head": 2},
        ),
        CONFIG,
        ("screening: keep.backbone is 3, but there are only 2 candidates",),
    ),
    Row(
        "N_h larger than the paper's space",
        configure(screening__keep={"head": 33}),
        CONFIG,
        ("screening: keep.head is 33, but there are only 32 candidates",),
    ),
    Row(
        "crop smaller than the stride",
        configure(pretraining__image_size=16),
        CONFIG,
        ("pretraining: image_size is 16", "coarsest stride of the backbone, 32 pixels"),
    ),
    Row(
        "costs counted between two strides",
        configure(supernet__input_size=[100, 128]),
        CONFIG,
        ("supernet: both sides of input_size must be multiples of 32",),
    ),
    Row(
        "class count in the config",
        configure(data__detection__coco__num_classes=2),
        CONFIG,
        ("data.detection.coco.num_classes: unknown key",),
    ),
    Row(
        "source without its section",
        lambda world: (
            world.config["data"]["classification"].pop("image_folder"),
            world.source("image_folder"),
        ),
        CONFIG,
        ("data.classification: source is image_folder, but there is no section `image_folder`",),
    ),
)

INPUT_ROWS = (*ANNOTATIONS, *CLASS_LISTS, *CHECKPOINTS, *SETTINGS)
