"""What is written is a config, whatever the data, the machine and the names."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_own_sizes import survey_of

from pipeline.config.files import load_config_files
from pipeline.config.own_detection import CocoDetection
from pipeline.data.demands import Counts, unmet
from pipeline.doctor.settings import demands, unfit_base, unshared
from pipeline.own_config.choices import Choices, recipe, run_name
from pipeline.own_config.lengths import Lengths
from pipeline.own_config.machine import Machine
from pipeline.own_config.sizes import Sizes
from pipeline.own_config.survey import SizedObject, Survey
from pipeline.own_config.text import config_text, scalar, validated

FRONT = ("train_student", "shrink_pool")
"""The rules of `snakemake front` that train."""
EXAMPLES = Path(__file__).parents[2] / "config/examples"
MACHINES = (
    Machine("cpu", 1),
    Machine("cpu", 8),
    Machine("cuda", 2),
    Machine("cuda", 8, ("T4", (7, 5))),
    Machine("cuda", 8, ("H200", (9, 0))),
)


def choices_of(
    survey: Survey,
    machine: Machine,
    weights: str | None = None,
    side: int | None = None,
    name: str = "mine",
    annotations: str = "data/labels.json",
) -> Choices:
    wanted = recipe(machine, weights)
    lies = {"annotations": annotations, "images": "data/photos"}
    return Choices(
        name=name,
        data={"source": "coco", "coco": {"train": lies, "split": {"val": 0.2, "seed": 0}}},
        survey=survey,
        machine=machine,
        weights=weights,
        sizes=Sizes.of(survey, side or wanted.side),
        lengths=Lengths.of(wanted.reference, survey.trained),
    )


@st.composite
def surveys(draw: st.DrawFn) -> Survey:
    longest = draw(st.integers(1, 20_000))
    shortest = draw(st.integers(1, longest))
    trained = draw(st.integers(1, 200_000))
    sizes = draw(st.lists(st.floats(1, 20_000), min_size=1, max_size=5))
    images = {"train": draw(st.integers(trained, 2 * trained)), "val": draw(st.integers(1, 9000))}
    images |= draw(st.sampled_from([{}, {"test": 7}]))
    return Survey(
        images=images,
        trained=trained,
        classes={"cat": len(sizes)},
        division=(),
        objects=[SizedObject(size, longest, shortest) for size in sizes],
        with_objects=draw(st.integers(1, len(sizes))),
        longest=longest,
        shortest=shortest,
        upright=draw(st.booleans()),
    )


@settings(max_examples=50, deadline=None)
@given(
    survey=surveys(),
    machine=st.sampled_from(MACHINES),
    weights=st.sampled_from([None, "weights/resnet50.pth"]),
    side=st.one_of(st.none(), st.integers(32, 3000)),
    paths=st.tuples(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1),
    ),
)
def test_any_data_make_a_config_that_a_run_takes(
    survey: Survey, machine: Machine, weights: str | None, side: int | None, paths: tuple[str, str]
) -> None:
    weights = weights if machine.device == "cuda" else None
    out = Path("configs") / f"{paths[1]}.yaml"
    choices = choices_of(survey, machine, weights, side, run_name(out), paths[0])
    text = config_text(choices, out)
    config = validated(text)
    assert all(line.startswith("#") for line in text.splitlines()[:5])
    detection = config.data.detection.active
    assert isinstance(detection, CocoDetection) and detection.train.annotations == paths[0]

    wanted = demands(config, FRONT)
    there = Counts(survey.images["train"], survey.trained, (survey.longest, survey.shortest))
    assert [*unmet(wanted, there), *unshared(config, FRONT), *unfit_base(config, FRONT)] == []
    assert config.teacher_pool.grown_from_base is (weights is None)
    assert bool(config.pretrained) is (weights is not None)
    space = config.teacher_pool.space
    assert config.detector.image_scale == max(space.resolutions)
    assert config.base_detector.training.resolutions == space.resolutions
    for sides in space.resolutions:
        assert sides[0] <= survey.longest and sides[1] <= max(1, survey.shortest)
    assert (config.run.precision == "bf16") is (machine.gpu == ("H200", (9, 0)))


def test_on_a_cpu_it_is_the_example_of_the_blood_cells() -> None:
    """`config/examples/front_bccd.yaml` has 205 images to train on, and resizes them to 320 × 240."""
    survey = survey_of((320, 240), objects=((80, 80, 320, 240),))
    images = {"train": 205, "val": 87, "test": 72}
    survey = Survey(**{**vars(survey), "images": images, "trained": 205})
    mine = validated(config_text(choices_of(survey, MACHINES[0]), None))
    example = load_config_files([EXAMPLES / "front_bccd.yaml"])
    pool = mine.teacher_pool.model_copy(update={"cpus": example.teacher_pool.cpus})
    assert pool == example.teacher_pool
    assert mine.base_detector == example.base_detector
    assert mine.detector.image_scale == example.detector.image_scale
    assert mine.supernet.input_size == example.supernet.input_size
    same = {"population", "generations", "shards"}
    assert mine.front.model_dump(include=same) == example.front.model_dump(include=same)


def test_from_weights_it_is_the_example_for_one_gpu() -> None:
    """`config/examples/one_gpu.yaml` is for 3,000 images of 640 × 640 to train on."""
    survey = survey_of((640, 640), objects=((100, 100, 640, 640),))
    images = {"train": 3000, "val": 640, "test": 640}
    survey = Survey(**{**vars(survey), "images": images, "trained": 3000})
    mine = validated(config_text(choices_of(survey, MACHINES[-1], "resnet50.pth"), None))
    example = load_config_files([EXAMPLES / "one_gpu.yaml"])
    space = mine.teacher_pool.space.model_copy(
        update={"resolutions": example.teacher_pool.space.resolutions}
    )
    assert mine.teacher_pool.model_copy(update={"space": space}) == example.teacher_pool
    assert mine.run.precision == example.run.precision
    assert mine.front == example.front
    assert mine.evaluation == example.evaluation
    assert mine.base_detector.training.epochs == example.base_detector.training.epochs


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("mine.yaml", "mine"),
        ("a b/my trees (2).yaml", "my_trees__2_"),
        (".hidden", "hidden"),
        ("...", "mine"),
        ("2024.yaml", "2024"),
        ("null.yaml", "null"),
        ("x" * 150, "x" * 100),
    ],
)
def test_the_run_is_called_as_the_file(given_name: str, name: str) -> None:
    assert run_name(Path(given_name)) == name
    choices = choices_of(survey_of((640, 480)), MACHINES[0], name=name)
    assert validated(config_text(choices, None)).run.name == name


def test_texts_have_no_quotes_where_they_need_none() -> None:
    assert scalar("../data/my photos") == "../data/my photos"
    assert scalar("a, b") == '"a, b"'
    assert scalar("12") == '"12"'
