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
    ({"source": "coco", "coco": {"train": PATHS}}, "val"),
    ({"source": "coco"}, "no section `coco`"),
    ({"source": "voc"}, "'embedded' or 'coco'"),
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
