import errno
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.artifacts.digest import file_digest, file_digests, value_digest
from pipeline.artifacts.errors import ArtifactError, PublishError
from pipeline.artifacts.files import canonical_json, json_bytes, read_json, write_json, write_text

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
FINITE = SCALARS.filter(lambda value: value not in (float("inf"), float("-inf")))
VALUES = st.recursive(
    FINITE, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@settings(max_examples=60)
@given(VALUES)
def test_json_is_read_back_equal_and_in_order(value: object) -> None:
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text
    assert json.loads(text) == value
    assert json_bytes(json.loads(text)) == json_bytes(value)


@settings(max_examples=30)
@given(st.dictionaries(st.text(), VALUES, max_size=5), st.randoms())
def test_value_digest_ignores_the_order_of_keys_only(value: dict, random) -> None:
    keys = list(value)
    random.shuffle(keys)
    assert value_digest({key: value[key] for key in keys}) == value_digest(value)
    assert value_digest([value]) != value_digest(value)


def test_digests_are_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(tmp_path / "a") == expected
    found, error = file_digests([tmp_path / "a", tmp_path / "b"])
    assert found == expected
    assert isinstance(error, ArtifactError)
    assert str(error) == f"{tmp_path / 'b'} is missing"
    assert value_digest({"b": 1, "a": (2.5, None)}) == (
        "sha256:" + hashlib.sha256(b'{"a":[2.5,null],"b":1}').hexdigest()
    )


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"records": [{"loss": float("nan")}]}, "records[0].loss is nan, not a finite number"),
        (float("-inf"), "is -inf"),
        ({"a": {3: 1}}, "a has the key 3, not a string"),
        ([Path("x")], "[0] is of type pathlib."),
        (["\ud800"], "no UTF-8"),
    ],
)
def test_what_is_not_json_is_refused_by_place(tmp_path: Path, value: object, place: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        write_json(tmp_path / "x.json", value)
    assert place in str(caught.value)
    assert str(tmp_path / "x.json") in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing"),
        (b"", "is empty"),
        (b'{"a": [1, 2', "is cut off (line 1, column 12"),
        (b'{"a": "tex', "is cut off"),
        (b'{\n "a": 1,\n}', "is not JSON (line 3, column 1"),
        (b'{"a": NaN}', "is not JSON (NaN is not a JSON number)"),
        (b"\xff\xfe", "is not UTF-8 text (byte 0)"),
        (b"[" * 100_000, "is not JSON"),
        (b"\x80\x04", "is not UTF-8"),
    ],
)
def test_unusable_json_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path} {reason}")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_leaves_the_former_file(tmp_path: Path, monkeypatch, call: str) -> None:
    path = tmp_path / "deep" / "x.json"
    write_json(path, {"a": 1})
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(PublishError, match=rf"^cannot write {path}: No space left on device$"):
        write_text(path, "b")
    assert [*path.parent.iterdir()] == [path]
    assert path.read_bytes() == before == b'{\n "a": 1\n}\n'
