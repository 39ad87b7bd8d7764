"""Every bad input ends in one error that names the place, and nothing published before is lost."""

import pytest
from bad_input_artifact_rows import ARTIFACT_ROWS
from bad_input_format_rows import FORMAT_ROWS
from bad_input_joint_rows import JOINT_ROWS
from bad_input_own_rows import REFUSED
from bad_input_program_rows import PROGRAM_ROWS
from bad_input_row import Row
from bad_input_rows import INPUT_ROWS
from bad_input_world import World

ROWS = (*INPUT_ROWS, *ARTIFACT_ROWS, *JOINT_ROWS, *REFUSED, *FORMAT_ROWS, *PROGRAM_ROWS)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.sound(tmp_path_factory.mktemp("sound"))


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.name, marks=[pytest.mark.slow] if row.slow else []) for row in ROWS],
)
def test_it_is_refused_with_its_place(row: Row, sound: World, tmp_path, capfd):
    world = sound.copy(tmp_path / "mine")
    assert {path.rpartition("/")[2] for path in world.snapshot()} >= {
        "dataset.json",
        "weights.safetensors",
    }
    row.spoil(world)
    before = world.snapshot()
    outcome = world.attempt(row.command, *row.line)
    assert outcome.code == 1, "it was accepted"
    (error,) = outcome.errors
    for part in row.message:
        assert part in error, error
    printed = "".join(capfd.readouterr())
    assert "Traceback" not in printed
    assert "code of the checkpoint ran" not in printed
    assert world.snapshot() == before


def test_the_rows_have_names_of_their_own():
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names) >= 160
