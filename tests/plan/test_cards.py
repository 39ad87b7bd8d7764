"""What makes a stage fit a smaller GPU, against the plan with those settings written down."""

import pytest
from workflow_project import ROOT

from pipeline.config.files import load_config_files
from pipeline.config.root import Config
from pipeline.config.sections import changed
from pipeline.plan.cards import card_advice, with_levers
from pipeline.plan.images import count_images
from pipeline.plan.stages import planned_stages


@pytest.fixture
def on_a_gpu() -> Config:
    """The tiny run with a GPU: two images of each step on it, in float32, activations stored."""
    settings = {
        "run.device": "cuda",
        "run.gpus": 2,
        "run.methods": ["hit_detector"],
        "supernet.execution": "store",
    }
    return changed(load_config_files([ROOT / "config/test.yaml"]), settings)


def test_each_lever_leaves_what_the_plan_says_with_its_settings(on_a_gpu: Config) -> None:
    images = count_images(on_a_gpu)
    found = dict(with_levers(on_a_gpu, images))
    assert list(found)[:3] == [
        "as configured",
        "supernet.execution: recompute",
        "run.precision: bf16",
    ]
    assert list(found)[-1] == "run.micro_batch: 1"
    written = {
        "supernet.execution": "recompute",
        "run.precision": "bf16",
        "run.micro_batch": 1,
        "run.validation_batch_size": 1,
        "evaluation.batch_size": 1,
    }
    stages = planned_stages(changed(on_a_gpu, written), images)
    least = found["run.micro_batch: 1"]
    assert least == {stage.name: stage.memory / 2**30 for stage in stages}
    assert all(least[name] < now for name, now in found["as configured"].items())
    # what the config has already is no lever
    assert list(dict(with_levers(changed(on_a_gpu, written), images))) == ["as configured"]


def test_a_card_names_for_each_stage_the_first_lever_with_room_to_spare(on_a_gpu: Config) -> None:
    """A card of one and a half times what the search takes holds it; a smaller one with a lever, or not."""
    images = count_images(on_a_gpu)
    found = with_levers(on_a_gpu, images)
    now = max(found[0][1].values())
    least = max(found[-1][1].values())
    cards = [1.5001 * now, 1.5001 * least, 1e-9]
    config = changed(on_a_gpu, {"plan.cards": cards})
    told = card_advice(config, images)
    sections = told.split(" GiB:\n")[1:]
    assert sections[0].startswith("  as configured: every stage\n")
    assert "more than these" not in sections[1] and "  with run." in sections[1]
    assert sections[2].startswith("  more than these: every stage")
