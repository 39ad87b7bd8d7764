"""The examples are valid configs, and take what they promise."""

from pathlib import Path

import pytest

from pipeline.config.files import load_config_files
from pipeline.plan.images import count_images
from pipeline.plan.stages import planned_stages
from pipeline.plan.table import GIB, speed

EXAMPLES = sorted((Path(__file__).parents[2] / "config/examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_valid(path: Path) -> None:
    assert load_config_files([path]).run.name != "embedded"


def test_one_gpu_takes_less_than_a_day_and_the_memory_of_its_gpu() -> None:
    (path,) = (path for path in EXAMPLES if path.stem == "one_gpu")
    config = load_config_files([path])
    devices = speed(config, gpu_there=True)
    stages = planned_stages(config, count_images(config))
    assert [stage.name for stage in stages] == [
        "shrink_pool_0",
        "shrink_pool_1",
        "evaluate_subnets",
        "take_front",
    ]
    assert 1 < sum(devices.all_hours(stage) for stage in stages) < 24
    assert max(stage.memory for stage in stages) < 16 * GIB
