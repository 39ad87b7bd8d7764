"""The `data` section: what it takes and what it refuses."""

import jsonschema
import pytest
from pydantic import ValidationError

from pipeline.config.data import CocoDetection, DataConfig, EmbeddedClassification

PATHS = {"annotations": "a.json", "images": "i"}
SPLITS = {"train": PATHS, "val": PATHS}


def coco(**values):
    return {"source": "coco", "coco": {**SPLITS, **values}}


def test_defaults_are_the_embedded_datasets():
    config = DataConfig()
    assert config.detection.source == config.classification.source == "embedded"
    assert DataConfig.model_validate_json(config.model_dump_json()) == config


def test_the_source_chooses_the_section():
    config = DataConfig.model_validate(
        {"detection": coco(), "classification": embedded(image_size=48)}
    )
    assert isinstance(config.detection.active, CocoDetection)
    assert isinstance(config.classification.active, EmbeddedClassification)
    assert config.classification.active.image_size == 48


def test_only_the_chosen_section_reaches_a_stage_and_can_make_it_stale():
    chosen = DataConfig.model_validate({"detection": coco()})
    both = DataConfig.model_validate({"detection": {**coco(), "embedded": {"seed": 64}}})
    assert chosen.model_dump() == both.model_dump()
    assert "embedded" not in both.model_dump()["detection"]


def embedded(**values):
    return {"source": "embedded", "embedded": values}


def only_train(**values):
    return {"source": "coco", "coco": {"train": PATHS, **values}}


REFUSED = [
    (embedded(objects_per_image=[3, 2]), "least value 3 exceeds the greatest, 2"),
    (embedded(object_size=[20, 200]), "exceeds image_size 128"),
    (embedded(object_size=[4, 100]), "greater than or equal to 8"),
    (embedded(objects_per_image=[1, 20], object_size=[40, 100]), "at most 3 fit well"),
    (embedded(train_images=3), "greater than or equal to 10"),
    (embedded(rotation=3), "Extra inputs"),
    (embedded(rotation_degrees=float("nan")), "rotation_degrees"),
    (coco(classes=["a", "b", "a"]), "named more than once: a"),
    (coco(verify_images="none"), "'decode' or 'header'"),
    (coco(tolerated_boxes=2), "less than or equal to 1"),
    ({"source": "coco", "coco": {"train": PATHS}}, r"there is no val.*split: \{val: 0\.2\}"),
    (only_train(split={"test": 0.2}), "there is no val"),
    (only_train(split={}), "divides nothing: write val: 0.2"),
    (only_train(split={"val": 0.6, "test": 0.4}), "leave nothing to train on"),
    (only_train(split={"val": -0.1}), "greater than or equal to 0"),
    (coco(split={"val": 0.2}), r"val has files of its own, and split.val cuts 0\.2 of train"),
    (coco(test=PATHS, split={"test": 0.2}), "test has files of its own"),
    ({"source": "yolo", "yolo": SPLITS}, "names"),
    ({"source": "voc", "voc": {**SPLITS, "first_pixel": 2}}, "0 or 1"),
    ({"source": "coco"}, "no section `coco`"),
    ({"source": "voc"}, "no section `voc`"),
    ({"source": "csv"}, "'embedded', 'coco', 'yolo' or 'voc'"),
]


@pytest.mark.parametrize(("section", "message"), REFUSED)
def test_mistakes_are_refused_with_their_place(section, message):
    with pytest.raises(ValidationError, match=message) as caught:
        DataConfig.model_validate({"detection": section})
    assert caught.value.errors()[0]["loc"][0] == "detection"


def test_the_generated_schema_takes_what_the_models_take():
    schema = DataConfig.model_json_schema()
    jsonschema.validate({"detection": coco(), "classification": embedded(seed=3)}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"detection": embedded(object_size=[1, 2, 3])}, schema)


def test_every_field_is_described():
    def fields(schema):
        for definition in [schema, *schema.get("$defs", {}).values()]:
            yield from definition.get("properties", {}).items()

    undescribed = [
        name for name, field in fields(DataConfig.model_json_schema()) if "description" not in field
    ]
    assert not undescribed


def test_only_the_users_own_annotations_are_watched():
    own = DataConfig.model_validate({"detection": coco(test=PATHS)}).detection.active
    assert own.annotation_files == {"train": "a.json", "val": "a.json", "test": "a.json"}
    assert DataConfig().detection.active.annotation_files == {}


def test_of_a_folder_format_all_that_is_used_is_watched():
    yolo = {"source": "yolo", "yolo": {"names": "n.yaml", **SPLITS}}
    config = DataConfig.model_validate({"detection": yolo})
    assert config.detection.active.annotation_files == {
        "names": "n.yaml",
        "train": "a.json",
        "val": "a.json",
        "train.images": "i",
        "val.images": "i",
    }
    voc = {"train": {**PATHS, "image_set": "s.txt"}, "split": {"val": 0.2}}
    config = DataConfig.model_validate({"detection": {"source": "voc", "voc": voc}})
    assert config.detection.active.annotation_files == {
        "train": "a.json",
        "train.image_set": "s.txt",
    }


def test_split_cuts_what_has_no_files_of_its_own_and_is_no_key_where_it_is_not_given():
    own = DataConfig.model_validate(
        {"detection": only_train(test=PATHS, split={"val": 0.25})}
    ).detection.active
    assert isinstance(own, CocoDetection)
    assert (own.split_names, dict(own.cut)) == (["train", "val", "test"], {"val": 0.25})
    assert own.images("val") == own.images("test") == "i"
    assert "split" not in DataConfig.model_validate({"detection": coco()}).model_dump_json()
