import pytest

from pipeline.artifacts.manifest import Origin


@pytest.fixture
def origin() -> Origin:
    return Origin(stage="search", config={"epochs": 2, "lr": 0.04}, code=None, inputs={}, seed=1)
