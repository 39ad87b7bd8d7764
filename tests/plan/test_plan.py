"""The plan's parts against the cost model of whole networks, and against numbers worked out by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from workflow_project import ROOT

from pipeline.config.files import load_config_files
from pipeline.config.hit_detector import Alternation
from pipeline.config.root import Config, load_config
from pipeline.config.run import Computing
from pipeline.config.sections import changed
from pipeline.config.supernet import SupernetConfig
from pipeline.detection.builder import build_backbone
from pipeline.detection.complexity import detector_complexity
from pipeline.errors import DetSearchError
from pipeline.hit_detector.spaces import Operations, supernet_architecture
from pipeline.plan.__main__ import main
from pipeline.plan.cards import card_advice, with_levers
from pipeline.plan.cost import Footprint, TrainingCost, Work
from pipeline.plan.hit_detector import alternated
from pipeline.plan.images import Images, count_images
from pipeline.plan.live import LiveBytes, without_gradients_of
from pipeline.plan.network import (
    Component,
    backbone_cost,
    derived,
    detector_cost,
    kept_bytes,
    sum_of,
)
from pipeline.plan.planned import WHOLE, Planned, trained_stage, training_memory
from pipeline.plan.stages import planned_stages
from pipeline.plan.table import Speed, speed, wall_hours
from pipeline.search_space.architecture import COMPONENTS
from pipeline.search_space.cost import CostCounter
from pipeline.training.computing import computed

SHAPE = SupernetConfig(
    input_size=(64, 96),
    channels=(8, 12, 16, 24),
    neck_channels=16,
    rpn_channels=16,
    head_blocks=2,
    head_fc_channels=32,
    roi_size=3,
    execution="store",
)
DEPTH = (1, 2, 1, 1)
ROIS, CLASSES = 10, 7
OPERATIONS = ("conv_k3_d1", "sep_k5_d1", "ir_k3_d1_e3")


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


def test_kept_bytes_are_those_of_the_backward_pass() -> None:
    """A convolution keeps its input of 2 · 3 · 4 · 4 numbers, a ReLU its output of 2 · 5 · 4 · 4."""
    with torch.device("meta"):
        module = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU())
        image = torch.empty(2, 3, 4, 4)
    with kept_bytes(module) as kept:
        module(image)
    assert kept() == 4 * (2 * 3 * 4 * 4 + 2 * 5 * 4 * 4)


def test_the_plan_keeps_what_the_real_supernet_keeps() -> None:
    """Of one image, beside the few numbers that batch normalisation keeps of each channel."""
    architecture = supernet_architecture(
        SHAPE, CLASSES, DEPTH, dict.fromkeys(COMPONENTS, OPERATIONS)
    )
    model = build_backbone(architecture)
    images = torch.zeros(2, 3, 256, 256)
    with kept_bytes(model) as kept:
        model(images)
    cost = backbone_cost(SHAPE, DEPTH, Component(OPERATIONS, 3, 3), 256, CLASSES)
    assert cost.whole.kept == pytest.approx(kept() / 2, rel=0.02)


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


def test_memory_holds_weights_gradients_moments_and_activations() -> None:
    network = TrainingCost(Footprint(params=10, macs=0, kept=100), in_flight=20)
    assert training_memory(network, 4, "sgd") == 4 * 10 * 3 + 4 * 120
    assert training_memory(network, 4, "adamw") == 4 * 10 * 4 + 4 * 120


def test_live_bytes_are_those_of_the_tensors_that_are_there_at_once() -> None:
    """Of 100 numbers: a, its double and its square are alive together; then what is needed no more goes."""
    with torch.device("meta"), LiveBytes() as live:
        first = torch.empty(100)
        second = first * 2
        del first
        assert live.now == 400
        third = second.view(10, 10).square()
        assert (live.now, live.peak) == (800, 800)
        del second, third
    assert (live.now, live.peak) == (0, 800)


@pytest.mark.parametrize("largest", ["ir_k3_d1_e6", "ir_k5_d3_e6"])
@pytest.mark.parametrize("execution", ["store", "recompute"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_plan_s_memory_is_that_of_a_real_step(
    precision: Any, execution: Any, largest: str
) -> None:
    """Forward and backward pass of a supernet on the CPU, every tensor that is alive counted.

    A dilated depthwise convolution takes its map apart, on a GPU as here.
    """
    operations = (largest, *OPERATIONS)
    architecture = supernet_architecture(
        SHAPE, CLASSES, DEPTH, dict.fromkeys(COMPONENTS, operations)
    )
    model = build_backbone(architecture, execution=execution)
    images = torch.zeros(2, 3, 256, 256)
    with (
        computed(Computing(precision=precision)),
        without_gradients_of(model),
        LiveBytes() as live,
    ):
        sum_of(model(images)).backward()
    shape = SHAPE.model_copy(update={"execution": execution})
    cost = backbone_cost(shape, DEPTH, Component(operations, 4, 4), 256, CLASSES)
    counted = training_memory(cost, 2, "sgd", precision) - training_memory(cost, 0, "sgd")
    # taking apart costs more at the borders of these small maps than on those that the plan measures
    assert counted == pytest.approx(live.peak, rel=0.15 if "d3" in largest else 0.1)
    assert cost.in_flight > 0.05 * cost.whole.kept


def test_what_a_validation_holds_is_what_a_real_forward_pass_holds() -> None:
    """Of a network with one operation: no gradients, so that maps go as soon as they are used."""
    operation = "ir_k3_d1_e6"
    architecture = supernet_architecture(
        SHAPE, CLASSES, DEPTH, dict.fromkeys(COMPONENTS, operation)
    )
    model = build_backbone(architecture).eval()
    with torch.no_grad(), LiveBytes() as live:
        model(torch.zeros(2, 3, 256, 256))
    cost = backbone_cost(SHAPE, DEPTH, derived((operation, "ir_k3_d1_e3")), 256, CLASSES)
    assert cost.looking == pytest.approx(live.peak / 2, rel=0.15)
    assert cost.looking < cost.whole.kept


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


def names(config: Config) -> list[str]:
    return [stage.name for stage in planned_stages(config, count_images(config))]


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
    ]


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


def test_a_front_is_planned_where_it_is_asked_for_with_the_pool_it_needs() -> None:
    config = load_config_files([ROOT / "config/test.yaml"])
    settings = {"plan.front": True, "run.methods": ["hit_detector"]}
    alone, both = (names(changed(config, asked)) for asked in (settings, {"plan.front": True}))
    assert alone[9:] == ["shrink_pool_0", "shrink_pool_1", "evaluate_subnets", "take_front"]
    assert both[9:] == [
        "train_student_base",
        "shrink_pool_0",
        "shrink_pool_1",
        "evaluate_candidate",
        "evaluate_subnets",
        "take_front",
    ]
    assert "take_front" not in names(config)
    twice = settings | {"front.population": 2 * config.front.population}
    first, second = (
        {
            stage.name: stage
            for stage in planned_stages(changed(config, asked), count_images(config))
        }
        for asked in (settings, twice)
    )
    for name in ("evaluate_subnets", "take_front"):
        assert second[name].compute.macs == pytest.approx(2 * first[name].compute.macs)
    front = config.front
    assert (first["evaluate_subnets"].waves, first["evaluate_subnets"].jobs) == (
        front.generations,
        front.shards,
    )


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
