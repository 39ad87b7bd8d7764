"""Section `base_detector`: which networks it names, and what it refuses."""

from typing import get_args

import pytest
from pydantic import ValidationError

from pipeline.config.base_detector import BaseDetectorConfig, BaseNetwork
from pipeline.morphism.actions import possible_actions
from pipeline.zoo.architectures import NAMES, zoo_architecture


def test_it_names_the_networks_of_the_zoo_that_actions_can_change() -> None:
    def changeable(name: str) -> bool:
        try:
            return bool(possible_actions(zoo_architecture(name)))
        except ValueError:
            return False

    assert list(get_args(BaseNetwork)) == [name for name in NAMES if changeable(name)]


def test_an_own_detector_needs_its_files_and_a_size_that_halves_five_times() -> None:
    with pytest.raises(ValidationError, match="there is no section `mmdet`"):
        BaseDetectorConfig.model_validate({"source": "mmdet"})
    files = {"config": "a.py", "checkpoint": "a.pth"}
    own = BaseDetectorConfig.model_validate({"source": "mmdet", "mmdet": files})
    assert own.mmdet and own.mmdet.input_size == (800, 1216)
    with pytest.raises(ValidationError, match="multiples of 32"):
        BaseDetectorConfig.model_validate(
            {"source": "mmdet", "mmdet": {**files, "input_size": [800, 1333]}}
        )
