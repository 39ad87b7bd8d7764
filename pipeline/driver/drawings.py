"""The papers' tables and figures: what each is drawn from. A new one is a row of `DRAWINGS`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.artifacts.manifest import MANIFEST
from pipeline.config.data import CheckpointClassification
from pipeline.config.hill_climb import Scoring
from pipeline.config.root import Config
from pipeline.config.supernet import SupernetConfig
from pipeline.driver.bases import further_chains, further_rows
from pipeline.driver.inputs import grouped
from pipeline.driver.layout import AGAIN, PIPELINES, Layout
from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import COMPONENTS
from pipeline.zoo.architectures import is_one_stage

PAPERS = {"hit": "hit_detector", "joint": "joint_detnas"}


class Drawing(NamedTuple):
    """What a table or figure says, the artifacts that it is drawn from, and its settings."""

    caption: str
    inputs: Callable[[Layout], dict[str, str]]
    settings: Callable[[Config], dict[str, Any]] = lambda config: {}


def detectors(run: Layout, names: list[str]) -> dict[str, str]:
    """The evaluations of detectors; a table calls each by the last part of its folder's name."""
    return grouped("detectors", {Path(name).name: run.evaluation(name) for name in names})


def baselines(config: Config, *, one_stage: bool) -> list[str]:
    """The folders of the configured baselines of one kind."""
    return [
        f"baselines/{name}"
        for name, baseline in config.named_baselines.items()
        if is_one_stage(baseline.zoo) == one_stage
    ]


def searched_and_its_kind(run: Layout) -> dict[str, str]:
    """The searched detector among the baselines of its kind."""
    return detectors(
        run, [*baselines(run.config, one_stage=run.config.supernet.one_stage), "hit_detector"]
    )


def parts_in_the_baseline(run: Layout) -> dict[str, str]:
    """Baselines, the first of them with one searched part each, mixed detectors, and the searched one."""
    config, study = run.config, run.config.ablations
    one_stage = config.supernet.one_stage
    shown = (study.baseline, *study.further_baselines)
    mixed = [name for each in study.mixed for name in study.sources(each).values()]
    for name in (*shown, *(name for name in mixed if name != "hit_detector")):
        if name not in config.named_baselines:
            raise DetSearchError(
                f"hit_table5 needs {name!r}, which `ablations` names, among `baselines`:"
                f" there are {', '.join(config.named_baselines) or 'none'}"
            )
        if is_one_stage(config.named_baselines[name].zoo) != one_stage:
            kind = "one-stage" if one_stage else "two-stage"
            own = [Path(each).name for each in baselines(config, one_stage=one_stage)]
            raise DetSearchError(
                f"hit_table5 compares {kind} baselines with the searched"
                f" {config.supernet.family}, but `ablations` names {name!r}: {kind} ones"
                f" among `baselines` are {', '.join(own) or 'none'}"
            )
    named = [f"baselines/{name}" for name in shown]
    parts = [f"ablations/searched_{component}" for component in COMPONENTS]
    others = [f"ablations/mixed/{name}" for name in study.mixed]
    return detectors(run, [*named, *parts, *others, "hit_detector"])


def one_stage_detectors(run: Layout) -> dict[str, str]:
    """The one-stage baselines, and the searched detector where it is one."""
    found = baselines(run.config, one_stage=True)
    if not found:
        raise DetSearchError(
            "hit_table6 compares one-stage detectors: add one to `baselines`, such as retinanet_r50"
        )
    return detectors(run, [*found, *(["hit_detector"] if run.config.supernet.one_stage else [])])


def searched_random_and_plain(run: Layout) -> dict[str, str]:
    """The searched detector, random ones and a plain one of its cost, each with several seeds."""
    study, given = run.config.ablations.random, run.config.data.classification.active
    if is_one_stage(study.plain) != run.config.supernet.one_stage:
        raise DetSearchError(
            f"hit_random compares networks of one kind, but ablations.random.plain is {study.plain} and"
            f" the searched detector a {run.config.supernet.family}: choose another plain network"
        )
    if isinstance(given, CheckpointClassification) and given.backbone:
        raise DetSearchError(
            "hit_random trains all networks alike, but data.classification.checkpoint.backbone gives"
            " weights to the searched one alone: leave it out, or take another source"
        )
    networks = {"searched": "hit_detector"}
    networks |= {
        f"random_{number}": f"ablations/random/{number}" for number in range(study.networks)
    }
    networks["plain"] = "ablations/plain"
    evaluations = {
        f"{name}.{number}": run.evaluation(f"{AGAIN}{number}/{network}" if number else network)
        for name, network in networks.items()
        for number in range(study.seeds)
    }
    return grouped("detectors", evaluations)


def ground_truth(run: Layout) -> dict[str, str]:
    """Architectures of the stated space and their trainings, some with a second seed."""
    study = run.config.ablations.ground_truth
    networks = [f"ablations/ground_truth/{number}" for number in range(study.networks)]
    evaluations = {f"{number}.0": run.evaluation(each) for number, each in enumerate(networks)}
    evaluations |= {
        f"{number}.1": run.evaluation(f"{AGAIN}1/{networks[number]}")
        for number in range(study.again)
    }
    architectures = {
        str(number): f"{run.folder}/{each}/manifest.json" for number, each in enumerate(networks)
    }
    return {
        **grouped("architectures", architectures),
        **grouped("evaluations", evaluations),
    }


def blocks_of(supernet: SupernetConfig) -> dict[str, int]:
    """Blocks of each component at the search depth: Figure 3 draws its layers among them."""
    one_stage = supernet.one_stage
    return {
        "backbone": sum(supernet.depth),
        "neck": 6 if one_stage else 8,
        "head": supernet.head_blocks * (2 if one_stage else 1),
    }


def replacements(run: Layout) -> dict[str, str]:
    """The networks of Figure 3: what was replaced, and the AP.

    Where the base replaces itself the detector is one and the same: it is trained once.
    """
    study, blocks = run.config.ablations.replacement, blocks_of(run.config.supernet)
    itself = f"ablations/replacement/{COMPONENTS[0]}/{study.base}/0"
    architectures, evaluations = {}, {}
    for component in COMPONENTS:
        for operation in study.operations:
            for draw in range(min(study.layers, blocks[component])):
                name = f"{component}.{operation}.{draw}"
                network = f"ablations/replacement/{component}/{operation}/{draw}"
                architectures[name] = f"{run.folder}/{network}/manifest.json"
                evaluations[name] = run.evaluation(itself if operation == study.base else network)
    return {
        **grouped("architectures", architectures),
        **grouped("evaluations", evaluations),
    }


def screenings(run: Layout) -> dict[str, str]:
    """The screenings of Figure 4. Without weight (μ = 0) the regulariser does not matter."""
    study, manifests = run.config.ablations.sparsity, {}
    own = (run.config.screening.regularizer, run.config.screening.mu)
    for regularizer in study.regularizers:
        for mu in study.mu:
            name = f"{regularizer}.{mu:g}" if mu else "none"
            chain = run.hit if (regularizer, mu) == own else run.ablations / "sparsity" / name
            manifests.setdefault(name, f"{chain}/screening/{study.component}/manifest.json")
    return grouped("screenings", manifests)


def sampled_and_alone(run: Layout) -> dict[str, str]:
    """Subnets of the pool, and the same networks trained alone."""
    evaluations = {
        f"{kind}_{number}": run.evaluation(f"joint_detnas/{kind}/{number}")
        for number in range(run.config.joint_tables.subnets)
        for kind in ("sampled", "alone")
    }
    return grouped("detectors", evaluations)


def pruned(run: Layout) -> dict[str, str]:
    """The base, and the base with some percent of its channels pruned."""
    evaluations = {
        f"pruned_{percentage:g}": run.evaluation(f"joint_detnas/pruned/{percentage:g}")
        for percentage in run.config.joint_tables.percentages
    }
    base = {"base": run.evaluation("joint_detnas/base")}
    return grouped("detectors", {**base, **evaluations})


def with_and_without_teacher(run: Layout) -> dict[str, str]:
    """A student trained alone, and with the pool's largest net, by either distillation."""
    alone = f"joint_detnas/standard/{run.config.joint_tables.student}"
    evaluations = {
        "without_teacher": run.evaluation(alone),
        "with_imitation": run.evaluation("joint_detnas/with_imitation"),
        "with_teacher": run.evaluation("joint_detnas/with_teacher"),
    }
    return grouped("detectors", evaluations)


def upgraded(run: Layout) -> dict[str, str]:
    """The base, the same trained longer, baselines, and the student; further bases and their students."""
    own = [f"joint_detnas/{name}" for name in ("base", "base_longer")]
    first = detectors(run, [*own, *standard_baselines(run), "joint_detnas/student"])
    return {**first, **grouped("detectors", further_rows(run))}


def further_trained(run: Layout) -> dict[str, str]:
    """Baselines, the base, the student, and the student trained further."""
    own = [f"joint_detnas/{name}" for name in ("base", "student", "upgrade")]
    return detectors(run, [*standard_baselines(run), *own])


def standard_baselines(run: Layout) -> list[str]:
    """The baselines of Joint-DetNAS's tables, in its standard training."""
    wanted, known = run.config.joint_tables.baselines, run.config.named_baselines
    for name in wanted:
        if name not in known:
            raise DetSearchError(
                f"`joint_tables.baselines` names {name!r}; among `baselines` are"
                f" {', '.join(known) or 'none'}"
            )
    return [f"joint_detnas/standard/{name}" for name in wanted]


def pipelines(run: Layout) -> dict[str, str]:
    """Where each pipeline begins and ends, and the student."""
    ends = {name: run.evaluation(f"joint_detnas/pipelines/{name}") for name in PIPELINES}
    return {
        **grouped("starts", {name: run.evaluation(start) for name, start in PIPELINES.items()}),
        **grouped("ends", {**ends, "joint_detnas": run.evaluation("joint_detnas/student")}),
    }


def descent(run: Layout, search: str = "hill_climb") -> str:
    """The manifest of a search's tree of descent."""
    return f"{run.joint}/{search}/descent/manifest.json"


def search_and_control(run: Layout, control: str = "random") -> dict[str, str]:
    """The hill climbing and a search that it is compared with, and what each found."""
    students = {"search": "joint_detnas/student", control: f"joint_detnas/{control}/student"}
    found = {name: run.evaluation(student) for name, student in students.items()}
    searches = {"search": descent(run), control: descent(run, control)}
    return {**grouped("searches", searches), **grouped("students", found)}


DRAWINGS = {
    "hit_table1": Drawing("Parameters of each component, and AP.", searched_and_its_kind),
    "hit_table2": Drawing("Baselines and the searched detector.", searched_and_its_kind),
    "hit_table3": Drawing("Input size and AP.", searched_and_its_kind),
    "hit_table4": Drawing(
        "One common sub search space, and one for each component"
        " (hit_detector: the best finalist, where there are some).",
        lambda run: detectors(run, ["ablations/one_space", "hit_detector"]),
    ),
    "hit_table5": Drawing(
        "The baseline with other detectors' parts.",
        parts_in_the_baseline,
        lambda config: {
            "mixed": {name: config.ablations.sources(name) for name in config.ablations.mixed}
        },
    ),
    "hit_table6": Drawing("One-stage detectors.", one_stage_detectors),
    "hit_random": Drawing(
        "The searched detector among random and plain ones of the same cost.",
        searched_random_and_plain,
    ),
    "hit_ground_truth": Drawing(
        "Architectures of a stated space, each trained alone.", ground_truth
    ),
    "hit_apart": Drawing(
        "Parts searched apart and combined, and the joint search"
        " (hit_detector: the best finalist, where there are some).",
        lambda run: detectors(run, ["ablations/combined", "hit_detector"]),
    ),
    "hit_figure3": Drawing(
        "AP with the operation of one layer replaced.",
        replacements,
        lambda config: {"replacement": config.ablations.replacement.model_dump(mode="json")},
    ),
    "hit_figure4": Drawing(
        "Screening under several regularisers.",
        screenings,
        lambda config: {"component": config.ablations.sparsity.component},
    ),
    "hit_figure5": Drawing(
        "The searched architecture.", lambda run: {"architecture": f"{run.hit}/manifest.json"}
    ),
    "hit_figure6": Drawing(
        "Detections on the same images, the ground truth first.",
        lambda run: {
            "data": f"{run.folder}/data/detection/{MANIFEST}",
            **searched_and_its_kind(run),
        },
        lambda config: {
            "examples": config.ablations.examples.model_dump(mode="json"),
            "seed": config.run.seed,
        },
    ),
    "joint_table1": Drawing("Subnets of the pool, untrained and trained alone.", sampled_and_alone),
    "joint_table2": Drawing("The pruned base, trained further.", pruned),
    "joint_table3": Drawing("A student with and without its teacher.", with_and_without_teacher),
    "joint_table4": Drawing("The base, the base trained longer, the student.", upgraded),
    "joint_table5": Drawing(
        "Pipelines that prune and then distil, and the joint search.", pipelines
    ),
    "joint_table6": Drawing(
        "The student trained further, with a stronger head and convolutions.",
        further_trained,
        lambda config: {"epochs": config.upgrade.training.epochs},
    ),
    "joint_table7": Drawing("What the search cost.", search_and_control),
    "joint_random": Drawing("The search, and a random one of the same budget.", search_and_control),
    "joint_unranked": Drawing(
        "The search, and the same proposals without a ranking.",
        lambda run: search_and_control(run, "unranked"),
    ),
    "joint_figure4": Drawing(
        "One student: teachers drawn anew, and the pool's largest net throughout.",
        lambda run: grouped(
            "searches",
            {"dynamic": descent(run, "dynamic_teachers"), "fixed": descent(run, "one_teacher")},
        ),
    ),
    "joint_figure4_search": Drawing(
        "The search: teachers that evolve, and one teacher throughout.",
        lambda run: grouped(
            "searches", {"dynamic": descent(run), "fixed": descent(run, "fixed_teacher")}
        ),
    ),
    "joint_figure5": Drawing(
        "Capacity of teachers and students.",
        lambda run: {
            "descent": descent(run),
            "pool": str(run.last_phase),
            **grouped(
                "further",
                {
                    name: descent(run, f"{chain}/hill_climb")
                    for name, chain in further_chains(run.config).items()
                },
            ),
        },
    ),
    "joint_figure6": Drawing(
        "What each kind of change brought.",
        lambda run: {"descent": descent(run), "base": f"{run.base}/manifest.json"},
        lambda config: {
            "resolution": config.detector.model_dump(mode="json")["image_scale"],
            "scoring": config.hill_climb.model_dump(mode="json", include=set(Scoring.model_fields)),
        },
    ),
    "joint_figure7": Drawing(
        "Computation of each stage before and after the search.",
        lambda run: {
            "base": f"{run.base}/manifest.json",
            "student": f"{run.joint}/student/detector/manifest.json",
        },
    ),
}


def paper_of(drawing: str) -> str:
    """The module of `pipeline/drawings/` that has a drawing."""
    return PAPERS[drawing.partition("_")[0]]


def kind_of(drawing: str) -> str:
    """The folder that it lies in."""
    return "figures" if "figure" in drawing else "tables"


def drawing_inputs(drawing: str, run: Layout) -> dict[str, str]:
    """The artifacts that it is drawn from, as named inputs of its stage.

    Raises:
        DetSearchError: with this config it cannot be drawn.
    """
    return grouped("inputs", DRAWINGS[drawing].inputs(run))


def drawing_settings(drawing: str, config: Config) -> dict[str, Any]:
    """What its stage needs to know of it."""
    return {
        "drawing": drawing,
        "paper": paper_of(drawing),
        "settings": DRAWINGS[drawing].settings(config),
    }
