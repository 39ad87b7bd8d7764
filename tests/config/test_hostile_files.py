"""Config files that are no config: in another encoding, too deep, or with expressions to be run."""

from pathlib import Path

import pytest

from pipeline.config.files import load_config_files
from pipeline.config.root import ConfigError, load_config


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("run: {name: x}".encode("utf-16"), "is not text in UTF-8"),
        (b"run: {name: \xff}", "is not text in UTF-8"),
        (b"a: " + b"[" * 5000, "too many levels"),
        (b'{"a": ' * 5000, "too many levels"),
        (b"[" * 100_000, "too many levels"),
        (b"__use_yte__: true\nrun: {name: x}\n", "run expressions in it as Python"),
        (b'{"__use_yte__": false}', "run expressions in it as Python"),
        (b"run: 2026-99-99", "is not YAML"),
        (b'run: {name: "a\\ud800"}', "run.name: half of a surrogate pair is no text"),
        (b'{"run": {"\\ud800": 1}}', "half of a surrogate pair is no text"),
        (b"", "holds no sections"),
    ],
)
def test_it_is_refused_with_a_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config_files([path])
    assert message in str(caught.value)
    str(caught.value).encode()


def test_json_with_tabs_is_a_config(tmp_path: Path) -> None:
    path = tmp_path / "my.json"
    path.write_text('{\n\t"run": {\n\t\t"name": "of_json"\n\t}\n}')
    assert load_config_files([path]).run.name == "of_json"


def test_a_class_may_have_any_name_of_unicode(tmp_path: Path) -> None:
    names = ["élan 犬 \U0001f600", "</script>", "{{$X:v}}", "\x07"]
    split = {"annotations": "a.json", "images": "a"}
    coco = {"train": split, "val": split, "classes": names}
    config = load_config({"data": {"detection": {"source": "coco", "coco": coco}}})
    assert config.data.detection.active.model_dump()["classes"] == names
