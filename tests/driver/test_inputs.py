"""Which of a job's inputs become arguments of its stage."""

import os
from pathlib import Path

from pipeline.driver.inputs import arguments, grouped, manifests, states


def test_manifests_are_arguments_and_other_named_inputs_are_watched() -> None:
    given = {
        "data": "r/data/manifest.json",
        "weights": "r/w/weights.safetensors",
        "base_longer": ["r/a b/manifest.json"],
        **grouped("candidates", {"c_0": "r/0/manifest.json", "c.1": "r/1/manifest.json"}),
        "former": [],
    }
    assert arguments(None, given) == (
        "--data r/data/manifest.json --base-longer 'r/a b/manifest.json'"
        " --candidates c_0=r/0/manifest.json c.1=r/1/manifest.json"
    )
    assert manifests(given) == [
        ("data", "r/data/manifest.json"),
        ("base_longer", "r/a b/manifest.json"),
        ("candidates.c_0", "r/0/manifest.json"),
        ("candidates.c.1", "r/1/manifest.json"),
    ]


def test_the_state_of_a_file_changes_with_its_content_and_one_that_is_not_there_has_none(
    tmp_path: Path,
) -> None:
    file = tmp_path / "{a}.json"
    file.write_text("12345")
    os.utime(file, ns=(7, 7))
    assert states([str(file), str(tmp_path / "missing")]) == [f"{file} 5 7"]
