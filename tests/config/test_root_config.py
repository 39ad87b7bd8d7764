"""The whole config: every mistake at once, each with its path and what is allowed."""

from typing import Any

import pytest

from pipeline.config.root import Config, ConfigError, load_config
from pipeline.config.sections import changed
from pipeline.errors import DetSearchError


def _mistakes(**values: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config({"data": {}, **values})
    first, *lines = str(caught.value).splitlines()
    count = len(lines)
    assert first == f"{count} mistake{'s' * (count > 1)} in the config:"
    assert all(line.startswith("  - ") for line in lines)
    return [line.removeprefix("  - ") for line in lines]


def test_the_papers_recipe_is_the_default() -> None:
    config = load_config({"data": {}})
    assert config.supernet.channels == (48, 96, 256, 352)
    assert (sum(config.supernet.screening_depth), config.supernet.depth) == (10, (4, 4, 8, 4))
    assert len(config.screening.candidates) == 32
    assert config.screening.keep.model_dump() == {"backbone": 8, "neck": 8, "head": 8}
    for section in (config.screening, config.search):
        assert (section.epochs, section.architecture_from_epoch) == (12, 6)
        assert (section.architecture_lr, section.optimizer.lr) == (4e-4, 0.04)
        assert (section.optimizer.type, section.optimizer.momentum) == ("sgd", 0.9)
    assert (config.screening.mu, config.screening.regularizer) == (0.1, "min_column")
    assert config.search.cost_weight == 0.01
    assert (config.screening_pretraining.epochs, config.pretraining.epochs) == (10, 300)


def test_several_mistakes_of_every_kind_are_reported_together() -> None:
    lines = _mistakes(
        run={"name": "a/b", "sead": 3},
        supernet={"input_size": [100, 64]},
        detector={"flip": 1.5, "proposals": "many"},
        screening={"regularizer": "l1", "optimizer": {"lr": 0, "scedule": "step"}},
        search={"epochs": 3, "architecture_from_epoch": 5},
        searching={},
    )
    by_path = dict(line.split(": ", 1) for line in lines)
    assert len(by_path) == len(lines) == 10
    assert by_path["run.sead"] == (
        "unknown key; allowed here: batch_norm, checkpoint_seconds, cpus, deterministic, device, "
        "fork_server, gpus, methods, micro_batch, name, precision, reference_gpus, seed, seeds, track_code, "
        "validation_batch_size"
    )
    assert "data, detector, evaluation" in by_path["searching"]
    assert "schedule, type" in by_path["screening.optimizer.scedule"]
    assert "greater than 0 (given: 0)" in by_path["screening.optimizer.lr"]
    assert "'min_column' or 'group_lasso' (given: 'l1')" in by_path["screening.regularizer"]
    assert "less than or equal to 1 (given: 1.5)" in by_path["detector.flip"]
    assert "valid integer" in by_path["detector.proposals"]
    assert "given: 'many'" in by_path["detector.proposals"]
    assert "is made of letters" in by_path["run.name"]
    assert "multiples of 32" in by_path["supernet"]
    assert by_path["search"] == "architecture_from_epoch is 5, but there are only 3 epochs"


OPERATIONS = ["conv_k3_d1", "sep_k3_d1", "ir_k3_d1_e1"]
KEEP = {"backbone": 2, "neck": 2, "head": 2}

ONE_MISTAKE = [
    (
        {"screening": {"candidates": [*OPERATIONS, "pool_k3"]}},
        r"screening\.candidates\.3: unknown operation 'pool_k3': expected ir_k<kernel>",
    ),
    (
        {"screening": {"candidates": OPERATIONS}},
        r"screening: keep\.backbone is 8, but there are only 3 candidates",
    ),
    (
        {"screening": {"candidates": OPERATIONS * 2, "keep": KEEP}},
        "screening: candidates must differ",
    ),
    ({"ablations": {"further_baselines": ["r18"]}}, "ablations: further_baselines must differ"),
    ({"ablations": {"mixed": {"a": {}}}}, r"ablations\.mixed\.a: name a detector for one of"),
    (
        {"ablations": {"mixed": {"searched_neck": {"neck": "x"}}}},
        r"config: ablations\.mixed\.searched_neck: another row of Table 5",
    ),
    ({"joint_tables": {"baselines": ["base"]}}, "joint_tables: baselines: base is another row"),
    (
        {"screening": {"candidates": OPERATIONS, "keep": KEEP, "paths": 4}},
        r"config: screening\.paths is 4, but a layer has 3 candidates",
    ),
    ({"search": {"paths": 9}}, r"config: search\.paths is 9, but a layer has 8 candidates"),
    (
        {
            "search": {"finalists": {"networks": 2, "epochs": 9, "schedule": "beginning"}},
            "training": {"epochs": 8},
        },
        r"config: search\.finalists\.epochs is 9, but a beginning of training\.epochs 8",
    ),
    ({"search_pretraining": {"paths": 9}}, r"config: search_pretraining\.paths is 9"),
    ({"screening_pretraining": {"paths": 33}}, r"config: screening_pretraining\.paths is 33"),
    (
        {"screening": {"defaults": {"neck": "conv"}}},
        r"screening\.defaults\.neck: unknown operation 'conv'",
    ),
    (
        {"training": {"optimizer": {"schedule": "step"}}},
        r"training\.optimizer: the step schedule needs milestones",
    ),
    (
        {"training": {"optimizer": {"milestones": [4, 2]}}},
        r"training\.optimizer: milestones must rise",
    ),
    ({"pretraining": {"crop_scale": [0.9, 0.5]}}, r"pretraining: crop_scale must satisfy"),
    ({"supernet": {"channels": [1, 2, 3]}}, r"supernet\.channels\.3: Field required"),
    ({"supernet": {"depth": [1, 0, 1, 1]}}, r"supernet\.depth\.1: .*greater than 0"),
    ({"run": {"seed": -1}}, r"run\.seed: .*greater than or equal to 0 \(given: -1\)"),
    ({"run": {"device": "tpu"}}, r"run\.device: .*'auto', 'cpu' or 'cuda'"),
    ({"search": {"cost_weight": -0.1}}, r"search\.cost_weight: .*greater than or equal to 0"),
    ({"search": {"max_gmacs": 0}}, r"search\.max_gmacs: .*greater than 0"),
    ({"search": {"strategy": "bayes"}}, r"search\.strategy: .*'evolution' or 'random'"),
    (
        {"search": {"cost": "latency", "strategy": "random"}},
        r"search: cost is latency, but strategy is random, which weighs no cost",
    ),
    (
        {"search": {"cost": "latency"}, "evaluation": {"latency": None}},
        r"config: search\.cost is latency, but evaluation\.latency is null",
    ),
    (
        {"search": {"strategy": "evolution", "scored_paths": 40}},
        r"search: scored_paths is 40, but evolution begins after as many random paths",
    ),
    (
        {"search": {"evolution": {"population": 5}}},
        r"search\.evolution: tournament is 10, but the population has 5 paths",
    ),
    ({"testing": 3}, r"testing: .*dictionary"),
    (
        {"data": {"detection": {"source": "coco"}}},
        r"data\.detection: source is coco, but there is no section",
    ),
]


@pytest.mark.parametrize(("values", "message"), ONE_MISTAKE)
def test_a_mistake_is_named_with_its_path(values: dict[str, Any], message: str) -> None:
    with pytest.raises(DetSearchError, match=rf"1 mistake in the config:\n  - {message}"):
        load_config({"data": {}, **values})


def test_a_missing_section_without_a_default_is_named() -> None:
    with pytest.raises(ConfigError, match=r"1 mistake in the config:\n  - data: Field required"):
        load_config({})


def test_a_validated_config_cannot_be_changed() -> None:
    config = load_config({"data": {}})
    with pytest.raises(ValueError, match="frozen"):
        config.run.seed = 3  # type: ignore[misc]
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_a_pyramid_level_of_one_pixel_needs_more_than_one_image() -> None:
    small = {"supernet": {"family": "retinanet"}, "detector": {"image_scale": [128, 96]}}
    (line,) = _mistakes(**small, training={"batch_size": 1})
    assert "training.batch_size is 1" in line and "128 pixels" in line
    load_config({"data": {}, **small, "training": {"batch_size": 2}})
    load_config({"data": {}, "supernet": small["supernet"], "training": {"batch_size": 1}})
    load_config({"data": {}, "detector": small["detector"], "training": {"batch_size": 1}})


@pytest.mark.parametrize(
    ("old", "instead"),
    [(False, r"\[hit_detector\]"), (True, r"\[hit_detector, joint_detnas\]")],
)
def test_the_methods_have_one_key_and_the_former_one_says_which(old: bool, instead: str) -> None:
    with pytest.raises(ConfigError, match=rf"report: .*write run: {{methods: {instead}}}"):
        load_config({"data": {}, "report": {"joint_detnas": old}})
    alone = ["joint_detnas"], ["hit_detector", "hit_detector"], ["hit_detector", "front"]
    for methods in ([], *alone):
        with pytest.raises(ConfigError, match=r"run\.methods: .*the target `joint_detnas`"):
            load_config({"data": {}, "run": {"methods": methods}})
    with pytest.raises(ConfigError, match=r"run\.methods"):
        load_config({"data": {}, "run": {"methods": ["hit_detector", "other"]}})
    assert load_config({"data": {}}).run.methods == ("hit_detector", "joint_detnas")
    assert load_config({"data": {}, "run": {"methods": ["front"]}}).run.methods == ("front",)


def test_what_a_search_counts_is_among_its_settings_only_where_it_is_not_macs() -> None:
    assert "cost" not in load_config({"data": {}}).model_dump(mode="json")["search"]
    config = load_config({"data": {}, "search": {"cost": "latency"}})
    assert config.model_dump(mode="json")["search"]["cost"] == "latency"


def test_a_study_of_shorter_trainings_has_no_finalists_that_are_too_long() -> None:
    finalists = {"networks": 2, "epochs": 3, "schedule": "beginning"}
    values = {"data": {}, "search": {"finalists": finalists}, "training": {"epochs": 7}}
    config = load_config(values)
    assert changed(config, {"training.epochs": 2}).training.epochs == 2
