"""The plan's parts against the cost model of whole networks, and against numbers worked out by hand."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_plan import CLASSES, DEPTH, OPERATIONS, ROIS, SHAPE, names
from torch import nn
from workflow_project import ROOT

from pipeline.config.files import load_config_files
from pipeline.config.hit_detector import Alternation
from pipeline.config.root import load_config
from pipeline.config.sections import changed
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.complexity import detector_complexity
from pipeline.errors import DetSearchError
from pipeline.hit_detector.spaces import Operations, supernet_architecture
from pipeline.plan.__main__ import main
from pipeline.plan.cost import Footprint, TrainingCost, Work
from pipeline.plan.hit_detector import alternated
from pipeline.plan.images import Images, count_images
from pipeline.plan.network import (
    Component,
    detector_cost,
)
from pipeline.plan.planned import WHOLE, Planned, trained_stage
from pipeline.plan.stages import planned_stages
from pipeline.plan.table import Speed, speed, wall_hours
from pipeline.search_space.architecture import COMPONENTS
from pipeline.search_space.cost import CostCounter


def whole(operations: Operations) -> tuple[int, int]:
    """Parameters and MACs of the whole network, by the cost model."""
    architecture = supernet_architecture(
        SHAPE, CLASSES, DEPTH, dict.fromkeys(COMPONENTS, operations)
    )
    total = detector_complexity(architecture, ROIS).total
    return total.params, total.macs


def reckoned(held: int, run: int, shape: SupernetConfig = SHAPE) -> tuple[Footprint, float]:
    parts: dict[str, Component | str] = dict.fromkeys(COMPONENTS, Component(OPERATIONS, held, run))
    cost = detector_cost(shape, DEPTH, parts, ROIS, CLASSES)
    return cost.whole, cost.step_macs


def test_a_supernet_costs_what_the_cost_model_counts_of_it() -> None:
    found, step = reckoned(3, 3)
    params, macs = whole(OPERATIONS)
    layers = sum(DEPTH) + 8 + SHAPE.head_blocks
    # the three α of each layer, of which the plan sees the two of its smaller twin
    assert found.params == pytest.approx(params - layers)
    assert found.macs == pytest.approx(macs)
    assert step == pytest.approx(3 * macs)


def test_a_network_to_be_derived_costs_the_mean_of_those_it_may_become() -> None:
    found, _ = reckoned(1, 1)
    each = [whole(name) for name in OPERATIONS]
    assert found.macs == pytest.approx(sum(macs for _, macs in each) / 3)
    layers = sum(DEPTH) + 8 + SHAPE.head_blocks
    assert found.params == pytest.approx(sum(params for params, _ in each) / 3 + 2 * layers)


def test_recomputation_saves_memory_and_costs_the_candidates_once_more() -> None:
    stored, step = reckoned(3, 3)
    recomputed, longer = reckoned(3, 3, SHAPE.model_copy(update={"execution": "recompute"}))
    assert recomputed.macs == pytest.approx(stored.macs)
    assert recomputed.kept < stored.kept / 2
    alone = [whole(name)[1] for name in OPERATIONS]
    # three networks of one operation each hold what is not searched three times, the supernet once
    fixed = (sum(alone) - stored.macs) / 2
    assert longer - step == pytest.approx(stored.macs - fixed)


def test_an_alternation_passes_over_half_of_the_images_for_the_weights_and_later_for_alpha() -> (
    None
):
    """Twelve epochs of 50 of 100 images, α from epoch 6 on in seven of them."""
    settings = Alternation(epochs=12, architecture_from_epoch=6)
    # a step of the weights takes 3 times 10 and once 4, one of α 2 times 10 and 4; later half as much
    before = TrainingCost(Footprint(macs=10), again=Work(4))
    after = TrainingCost(Footprint(macs=5), again=Work(2))
    honest = alternated(settings, 100, before, after, WHOLE)
    assert honest.macs == 5 * 50 * 34 + 7 * 50 * (17 + 12)
    as_weights = alternated(settings, 100, before, after, replace(WHOLE, alpha_alone=False))
    assert as_weights.macs == 5 * 50 * 34 + 7 * 50 * (17 + 17)


def test_each_kind_of_computation_takes_its_own_time() -> None:
    stage = replace(planned("a", 0, 8), compute=Work(macs=5e12, depthwise=2e12, normalised=1e12))
    plain = Speed(1000.0, "GPU", 8, depthwise_gmacs=100.0)
    assert 3600 * plain.hours(stage) == pytest.approx(3 + 20)
    # the same hand-written norms of 4 · 768 · 200 · 304 numbers took 8.02 ms, torch's 2.49
    # (docs/reference/gpu.md)
    by_hand = 1e12 * (8.02e-3 - 2.49e-3) / (4 * 768 * 200 * 304)
    slow = replace(plain, norms_by_hand=True)
    assert 3600 * slow.hours(stage) == pytest.approx(23 + by_hand, rel=1e-3)
    assert slow.hours(replace(stage, gpus=1)) == plain.hours(stage), "one GPU has torch's own norms"
    half = replace(plain, bf16=True)
    assert half.hours(stage) == plain.hours(stage), "one image at once leaves a GPU waiting"
    full = replace(stage, images=4)
    assert plain.hours(full) > half.hours(full) > 0.5 * plain.hours(full)


def test_depthwise_convolutions_and_norms_are_counted_by_hand() -> None:
    parts: dict[str, Component | str] = dict.fromkeys(COMPONENTS, "conv_k3_d1")
    none = detector_cost(SHAPE, DEPTH, parts, ROIS, CLASSES).whole
    assert none.depthwise == 0
    model = nn.Sequential(nn.Conv2d(4, 4, 5, groups=4), nn.BatchNorm2d(4), nn.Conv2d(4, 8, 1))
    with CostCounter().watch(model) as counter:
        model(torch.zeros(1, 4, 8, 8))
    assert counter.depthwise == 25 * 4 * 4 * 4
    assert counter.macs == 25 * 4 * 4 * 4 + 4 * 8 * 4 * 4
    assert counter.normalised == 4 * 4 * 4


def test_a_candidate_with_gpus_of_its_own_holds_more_images_on_each() -> None:
    values = {
        "data": {"detection": {"source": "embedded"}, "classification": {"source": "none"}},
        "run": {"gpus": 8, "device": "cuda"},
        "hill_climb": {"training": {"batch_size": 16}},
    }
    cost = TrainingCost(Footprint(params=10, macs=1, kept=1000))

    def stage(gpus: int | None, **run: int) -> Planned:
        config = load_config({**values, "run": {**values["run"], **run}})
        training = config.hill_climb.training
        return trained_stage(
            "a", "joint_detnas", config, training, cost, Work(), (), publishes=True, gpus=gpus
        )

    whole, alone = stage(None), stage(1)
    assert (whole.gpus, whole.images, alone.gpus, alone.images) == (8, 2, 1, 16)
    assert alone.memory - whole.memory == 14 * 1000
    # rates for 4, and 8 there: a batch of 32
    assert stage(2, reference_gpus=4).images == 16


def test_images_are_those_of_the_config_or_are_counted() -> None:
    assert count_images(load_config_files([ROOT / "config/test.yaml"])) == Images(24, 8, 8, 40)
    paper = count_images(load_config_files([ROOT / "config/paper.yaml"]))
    assert paper == Images(118287, 5000, 5000, 1281167)


def test_a_dataset_that_is_not_here_must_be_stated() -> None:
    split = {"annotations": "nowhere.json", "images": "nowhere"}
    config = load_config(
        {"data": {"detection": {"source": "coco", "coco": {"train": split, "val": split}}}}
    )
    with pytest.raises(
        DetSearchError, match=r"nowhere\.json is not here: state plan\.train_images"
    ):
        count_images(config)


def test_images_of_any_format_are_counted_and_those_of_a_split_by_its_shares(
    tmp_path: Path,
) -> None:
    """10 images of one class, each with three objects: 2 become val, 1 test; 21 boxes, as much background."""
    xml = "<annotation>" + "<object><name>cat</name></object>" * 3 + "</annotation>"
    for number in range(10):
        for name, text in (
            (f"{number}.png", ""),
            (f"{number}.txt", "0 1\n" * 3),
            (f"{number}.xml", xml),
        ):
            (tmp_path / name).write_text(text)
    (tmp_path / "names.yaml").write_text("names: [cat]\n")
    split = {"annotations": str(tmp_path), "images": str(tmp_path)}
    own = {"train": split, "split": {"val": 0.2, "test": 0.1}}
    for source, further in (("yolo", {"names": str(tmp_path / "names.yaml")}), ("voc", {})):
        data = {
            "detection": {"source": source, source: {**own, **further}},
            "classification": {"source": "crops"},
        }
        assert count_images(load_config({"data": data})) == Images(7, 2, 1, 42)


def planned(name: str, hours: float, gpus: int, *after: str) -> Planned:
    """A stage of so many device-hours at 10⁹ multiply-accumulates a second."""
    return Planned(name, "hit_detector", Work(hours * 3600e9), gpus, 0, 0, 0, after)


def test_wall_time_is_that_of_the_longest_way_on_the_gpus_there_are() -> None:
    """a: 8 GPU-hours on 4, two hours; then b and c, 4 GPU-hours on 4 each, side by side on 8 GPUs."""
    stages = [planned("a", 8, 4), planned("b", 4, 4, "a"), planned("c", 4, 4, "a")]
    assert wall_hours(stages, Speed(1.0, "GPU", 8)) == pytest.approx(3)
    assert wall_hours(stages, Speed(1.0, "GPU", 4)) == pytest.approx(4)


def test_waves_follow_each_other_and_their_jobs_run_side_by_side() -> None:
    """Three waves of five jobs of an hour each, on 4 GPUs: two rounds a wave, six hours."""
    wave = replace(planned("candidate", 1, 1, "a"), waves=3, jobs=5)
    devices = Speed(1.0, "GPU", 4)
    assert wall_hours([wave], devices) == pytest.approx(6)
    assert devices.all_hours(wave) == pytest.approx(15)
    assert wall_hours([planned("a", 2, 1), wave], devices) == pytest.approx(8)


def test_the_device_decides_about_the_throughput() -> None:
    config = load_config_files([ROOT / "config/paper.yaml"])
    plan = config.plan
    depthwise = plan.gpu_depthwise_gmacs
    paper = Speed(plan.gpu_gmacs, "GPU", 8, depthwise_gmacs=depthwise, bf16=True)
    assert speed(config, gpu_there=False) == paper
    config = load_config_files()
    assert speed(config, gpu_there=False) == Speed(config.plan.cpu_gmacs, "CPU", 1)
    assert speed(config, gpu_there=True) == Speed(
        plan.gpu_gmacs, "GPU", 1, depthwise_gmacs=depthwise
    )


def test_stages_are_those_of_the_run() -> None:
    config = load_config_files([ROOT / "config/test.yaml"])
    whole_chain = names(config)
    assert whole_chain[:9] == [
        "pretrain_screening_supernet",
        "screen_backbone",
        "screen_neck",
        "screen_head",
        "pretrain_search_supernet",
        "search",
        "pretrain_backbone",
        "train_detector",
        "evaluate",
    ]
    assert whole_chain[9:] == [
        "train_student_base",
        "shrink_pool_0",
        "shrink_pool_1",
        "evaluate_candidate",
        "refine_detector of base_longer",
    ]


def test_what_a_hill_climb_is_compared_with_is_planned() -> None:
    """Twice the candidates with a random search; the base trained as long as a whole line of students."""
    config = load_config_files([ROOT / "config/test.yaml"])
    more = {"report.joint_random": True, "hill_climb.controls": True, "report.front": True}
    planned = planned_stages(changed(config, more), count_images(config))
    found = {stage.name: stage for stage in planned}
    search, random = found["evaluate_candidate"], found["evaluate_candidate of joint_random"]
    assert replace(random, name=search.name) == search
    climb = config.hill_climb
    controls = found["evaluate_candidate of controls"]
    assert controls.jobs == min(climb.candidates, climb.top_k)
    assert (controls.waves, controls.compute) == (search.waves, search.compute)
    alone = changed(config, {"hill_climb.generations": 1})
    one = {stage.name: stage for stage in planned_stages(alone, count_images(config))}
    longer = "refine_detector of base_longer"
    assert climb.generations == 2
    steps = found[longer].compute.macs - one[longer].compute.macs
    # what is not trained is the validation at the end
    assert 0.5 * found[longer].compute.macs < steps * 2 <= found[longer].compute.macs * 1.0001
    assert "take_front" in found


def test_a_search_over_paths_is_planned_with_its_forward_passes() -> None:
    config = load_config_files([ROOT / "config/test.yaml"])
    settings = {"search.strategy": "random", "search.scored_paths": 50}
    stages = {}
    for number, more in enumerate(({}, {"search.recalibration_batches": 3})):
        planned = planned_stages(changed(config, settings | more), count_images(config))
        stages[number] = {stage.name: stage for stage in planned}
        assert [*stages[number]][4:7] == [
            "pretrain_search_supernet",
            "train_one_shot",
            "search_paths",
        ]
        assert "search" not in stages[number]
    few, many = (stages[number]["search_paths"].compute.macs for number in (0, 1))
    # 6 judged images, and 1 or 3 batches of 4
    assert many / few == pytest.approx((6 + 12) / (6 + 4))


def test_what_the_run_leaves_out_is_not_planned_and_absurd_hours_name_the_way_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    own = tmp_path / "own.yaml"

    def told(text: str) -> str:
        own.write_text(text)
        main(["--configfile", str(own)])
        return capsys.readouterr().out

    alone = told("{run: {methods: [hit_detector], device: cpu}, plan: {cpu_gmacs: 0.001}}")
    assert "hit_detector, together" in alone and "joint_detnas" not in alone
    assert "CPU-hours are no plan" in alone and "run: {device: cuda}" in alone
    on_gpus = told("run: {methods: [hit_detector], device: cuda}")
    assert "are no plan" not in on_gpus and "joint_detnas" not in on_gpus
    # on the embedded data CPUs are what one has
    both = told("run: {device: cpu}")
    assert "are no plan" not in both and "joint_detnas, together" in both


def test_random_networks_are_planned_where_the_report_asks_for_them() -> None:
    config = changed(
        load_config_files([ROOT / "config/test.yaml"]),
        {"report.random": True, "ablations.random.networks": 3, "ablations.random.seeds": 2},
    )
    stages = {s.name: s for s in planned_stages(config, count_images(config))}
    # three random ones, the plain one and the searched one, each twice; one training is there
    for name in ("pretrain_backbone", "train_detector", "evaluate"):
        again = stages[f"{name} of hit_random"]
        assert again.jobs == 9
        assert again.compute == stages[name].compute
    assert "train_detector of hit_random" in stages["evaluate of hit_random"].after


def test_a_one_stage_search_is_planned_with_its_two_towers() -> None:
    """Each tower's layer runs on all five levels: the cost model counts the same."""
    shape = SHAPE.model_copy(update={"family": "retinanet", "input_size": (128, 128)})
    parts: dict[str, Component | str] = dict.fromkeys(COMPONENTS, Component(OPERATIONS, 3, 3))
    cost = detector_cost(shape, DEPTH, parts, ROIS, CLASSES)
    architecture = supernet_architecture(
        shape, CLASSES, DEPTH, dict.fromkeys(COMPONENTS, OPERATIONS)
    )
    assert cost.whole.macs == pytest.approx(detector_complexity(architecture, ROIS).total.macs)


@pytest.mark.slow
def test_the_papers_plan_needs_no_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--configfile", str(ROOT / "config/paper.yaml")])
    printed = capsys.readouterr().out
    table, assumptions, levers, _, cards = printed.split("\n\n")
    assert "24 GiB:\n  as configured:" in cards and "11 GiB:\n" in cards
    lines = [line.split("  ") for line in table.splitlines()[1:]]
    hours = {words[0]: float([word for word in words if word][2]) for words in lines}
    # 300 epochs of ImageNet outweigh 12 of COCO in a pretraining of the same network's backbone
    assert hours["pretrain_backbone"] > hours["pretrain_search_supernet"] / 8
    assert hours["hit_detector, together"] == pytest.approx(
        sum(hours[name] for name in list(hours)[:9]), rel=0.02
    )
    assert "118,287 to train on" in assumptions
    rows = [line.rsplit(maxsplit=2) for line in levers.splitlines()[1:]]
    of_hit = [float(row[1]) for row in rows]
    of_joint = [float(row[2]) for row in rows]
    assert of_hit == sorted(of_hit, reverse=True) and of_joint == sorted(of_joint, reverse=True)
    assert of_hit[-1] == hours["hit_detector, together"] <= 1300
    assert of_joint[-1] == hours["joint_detnas, together"] <= 2500
