"""The papers' tables and figures: what each is drawn from. A new one is a row of `DRAWINGS`."""

from typing import NamedTuple

# Blocks of each component at the search depth: Figure 3 draws its layers among them.
LAYERS = {
    "backbone": sum(CONFIG.supernet.depth),
    "neck": 6 if ONE_STAGE else 8,
    "head": CONFIG.supernet.head_blocks * (2 if ONE_STAGE else 1),
}
PAPERS = {"hit": "hit_detector", "joint": "joint_detnas"}


class Drawing(NamedTuple):
    """What a table or figure says, the artifacts that it is drawn from, and its settings."""

    caption: str
    inputs: Callable[[], dict[str, str]]
    settings: dict[str, object] = {}


def detectors(names: list[str]) -> dict[str, str]:
    """The evaluations of detectors; a table calls each by the last part of its folder's name."""
    return grouped("detectors", {Path(name).name: evaluation(name) for name in names})


def baselines(one_stage: bool = ONE_STAGE) -> list[str]:
    """The configured baselines of one kind."""
    return [
        f"baselines/{name}" for name in CONFIG.named_baselines if is_one_stage(name) == one_stage
    ]


def searched_and_its_kind() -> dict[str, str]:
    """The searched detector among the baselines of its kind."""
    return detectors([*baselines(), "hit_detector"])


def parts_in_the_baseline() -> dict[str, str]:
    """Baselines, the first of them with one searched part each, and the searched detector."""
    study = CONFIG.ablations
    for name in (study.baseline, *study.further_baselines):
        if name not in CONFIG.named_baselines:
            raise WorkflowError(
                f"hit_table5 needs {name!r}, which `ablations` names, among `baselines`:"
                f" there are {', '.join(CONFIG.named_baselines) or 'none'}"
            )
        if is_one_stage(name) != ONE_STAGE:
            kind = "one-stage" if ONE_STAGE else "two-stage"
            raise WorkflowError(
                f"hit_table5 compares {kind} baselines with the searched"
                f" {CONFIG.supernet.family}, but `ablations` names {name!r}: {kind} ones"
                f" among `baselines` are"
                f" {', '.join(Path(each).name for each in baselines()) or 'none'}"
            )
    named = [f"baselines/{name}" for name in (study.baseline, *study.further_baselines)]
    parts = [f"ablations/searched_{component}" for component in COMPONENTS]
    return detectors([*named, *parts, "hit_detector"])


def one_stage_detectors() -> dict[str, str]:
    """The one-stage baselines, and the searched detector where it is one."""
    found = baselines(one_stage=True)
    if not found:
        raise WorkflowError(
            "hit_table6 compares one-stage detectors: add one to `baselines`, such as"
            " retinanet_r50"
        )
    return detectors([*found, *(["hit_detector"] if ONE_STAGE else [])])


def searched_random_and_plain() -> dict[str, str]:
    """The searched detector, random ones and a plain one of its cost, each with several seeds."""
    study, classification = CONFIG.ablations.random, CONFIG.data.classification
    if (zoo_architecture(study.plain).rpn is None) != ONE_STAGE:
        raise WorkflowError(
            f"hit_random compares networks of one kind, but ablations.random.plain is {study.plain} and"
            f" the searched detector a {CONFIG.supernet.family}: choose another plain network"
        )
    if classification.source == "checkpoint" and classification.active.backbone:
        raise WorkflowError(
            "hit_random trains all networks alike, but data.classification.checkpoint.backbone gives"
            " weights to the searched one alone: leave it out, or take another source"
        )
    networks = {"searched": "hit_detector"}
    networks |= {
        f"random_{number}": f"ablations/random/{number}" for number in range(study.networks)
    }
    networks["plain"] = "ablations/plain"
    evaluations = {
        f"{name}.{number}": evaluation(f"{AGAIN}{number}/{network}" if number else network)
        for name, network in networks.items()
        for number in range(study.seeds)
    }
    return grouped("detectors", evaluations)


def ground_truth() -> dict[str, str]:
    """Architectures of the stated space and their trainings, some with a second seed."""
    study = CONFIG.ablations.ground_truth
    networks = [f"ablations/ground_truth/{number}" for number in range(study.networks)]
    evaluations = {f"{number}.0": evaluation(each) for number, each in enumerate(networks)}
    evaluations |= {
        f"{number}.1": evaluation(f"{AGAIN}1/{networks[number]}") for number in range(study.again)
    }
    architectures = {
        str(number): f"{RUN}/{each}/manifest.json" for number, each in enumerate(networks)
    }
    return {
        **grouped("architectures", architectures),
        **grouped("evaluations", evaluations),
    }


def replacements() -> dict[str, str]:
    """The networks of Figure 3: what was replaced, and the AP.

    Where the base replaces itself the detector is one and the same: it is trained once.
    """
    study = CONFIG.ablations.replacement
    itself = f"ablations/replacement/{COMPONENTS[0]}/{study.base}/0"
    architectures, evaluations = {}, {}
    for component in COMPONENTS:
        for operation in study.operations:
            for draw in range(min(study.layers, LAYERS[component])):
                name = f"{component}.{operation}.{draw}"
                network = f"ablations/replacement/{component}/{operation}/{draw}"
                architectures[name] = f"{RUN}/{network}/manifest.json"
                evaluations[name] = evaluation(itself if operation == study.base else network)
    return {
        **grouped("architectures", architectures),
        **grouped("evaluations", evaluations),
    }


def screenings() -> dict[str, str]:
    """The screenings of Figure 4. Without weight (μ = 0) the regulariser does not matter."""
    study, manifests = CONFIG.ablations.sparsity, {}
    own = (CONFIG.screening.regularizer, CONFIG.screening.mu)
    for regularizer in study.regularizers:
        for mu in study.mu:
            name = f"{regularizer}.{mu:g}" if mu else "none"
            run = HIT if (regularizer, mu) == own else ABLATIONS / "sparsity" / name
            manifests.setdefault(name, f"{run}/screening/{study.component}/manifest.json")
    return grouped("screenings", manifests)


def sampled_and_alone() -> dict[str, str]:
    """Subnets of the pool, and the same networks trained alone."""
    evaluations = {
        f"{kind}_{number}": evaluation(f"joint_detnas/{kind}/{number}")
        for number in range(CONFIG.joint_tables.subnets)
        for kind in ("sampled", "alone")
    }
    return grouped("detectors", evaluations)


def pruned() -> dict[str, str]:
    """The base, and the base with some percent of its channels pruned."""
    evaluations = {
        f"pruned_{percentage:g}": evaluation(f"joint_detnas/pruned/{percentage:g}")
        for percentage in CONFIG.joint_tables.percentages
    }
    base = {"base": evaluation("joint_detnas/base")}
    return grouped("detectors", {**base, **evaluations})


def with_and_without_teacher() -> dict[str, str]:
    """A student trained alone, and with the pool's largest net, by either distillation."""
    alone = f"joint_detnas/standard/{CONFIG.joint_tables.student}"
    evaluations = {
        "without_teacher": evaluation(alone),
        "with_imitation": evaluation("joint_detnas/with_imitation"),
        "with_teacher": evaluation("joint_detnas/with_teacher"),
    }
    return grouped("detectors", evaluations)


def upgraded() -> dict[str, str]:
    """The base, the same trained longer, and the student."""
    return detectors([f"joint_detnas/{name}" for name in ("base", "base_longer", "student")])


def pipelines() -> dict[str, str]:
    """Where each pipeline begins and ends, and the student."""
    ends = {name: evaluation(f"joint_detnas/pipelines/{name}") for name in PIPELINES}
    return {
        **grouped("starts", {name: evaluation(start) for name, start in PIPELINES.items()}),
        **grouped("ends", {**ends, "joint_detnas": evaluation("joint_detnas/student")}),
    }


def descent(search: str = "hill_climb") -> str:
    """The manifest of a search's tree of descent."""
    return f"{JOINT}/{search}/descent/manifest.json"


def search_and_random() -> dict[str, str]:
    """The hill climbing and the random search, and what each found."""
    students = {"search": "joint_detnas/student", "random": "joint_detnas/random/student"}
    found = {name: evaluation(student) for name, student in students.items()}
    searches = {"search": descent(), "random": descent("random")}
    return {**grouped("searches", searches), **grouped("students", found)}


DRAWINGS = {
    "hit_table1": Drawing("Parameters of each component, and AP.", searched_and_its_kind),
    "hit_table2": Drawing("Baselines and the searched detector.", searched_and_its_kind),
    "hit_table3": Drawing("Input size and AP.", searched_and_its_kind),
    "hit_table4": Drawing(
        "One common sub search space, and one for each component.",
        lambda: detectors(["ablations/one_space", "hit_detector"]),
    ),
    "hit_table5": Drawing("The baseline with one searched part.", parts_in_the_baseline),
    "hit_table6": Drawing("One-stage detectors.", one_stage_detectors),
    "hit_random": Drawing(
        "The searched detector among random and plain ones of the same cost.",
        searched_random_and_plain,
    ),
    "hit_ground_truth": Drawing(
        "Architectures of a stated space, each trained alone.", ground_truth
    ),
    "hit_figure3": Drawing(
        "AP with the operation of one layer replaced.",
        replacements,
        {"replacement": CONFIG.ablations.replacement.model_dump(mode="json")},
    ),
    "hit_figure4": Drawing(
        "Screening under several regularisers.",
        screenings,
        {"component": CONFIG.ablations.sparsity.component},
    ),
    "hit_figure5": Drawing(
        "The searched architecture.", lambda: {"architecture": f"{HIT}/manifest.json"}
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
        lambda: detectors([f"joint_detnas/{name}" for name in ("base", "student", "upgrade")]),
        {"epochs": CONFIG.upgrade.training.epochs},
    ),
    "joint_table7": Drawing("What the search cost.", search_and_random),
    "joint_random": Drawing(
        "The search, and one of the same budget that does not rank.", search_and_random
    ),
    "joint_figure4": Drawing(
        "One student: teachers drawn anew, and the pool's largest net throughout.",
        lambda: grouped(
            "searches",
            {"dynamic": descent("dynamic_teachers"), "fixed": descent("one_teacher")},
        ),
    ),
    "joint_figure4_search": Drawing(
        "The search: teachers that evolve, and one teacher throughout.",
        lambda: grouped("searches", {"dynamic": descent(), "fixed": descent("fixed_teacher")}),
    ),
    "joint_figure5": Drawing(
        "Capacity of teachers and students.",
        lambda: {"descent": descent(), "pool": LAST_PHASE},
    ),
    "joint_figure6": Drawing(
        "What each kind of change brought.",
        lambda: {"descent": descent(), "base": f"{BASE}/manifest.json"},
        {
            "resolution": CONFIG.detector.model_dump(mode="json")["image_scale"],
            "scoring": climb_part(Scoring),
        },
    ),
    "joint_figure7": Drawing(
        "Computation of each stage before and after the search.",
        lambda: {
            "base": f"{BASE}/manifest.json",
            "student": f"{JOINT}/student/detector/manifest.json",
        },
    ),
}


def paper_of(drawing: str) -> str:
    """The module of `pipeline/drawings/` that has a drawing."""
    return PAPERS[drawing.partition("_")[0]]


def kind_of(drawing: str) -> str:
    """The folder that it lies in."""
    return "figures" if "figure" in drawing else "tables"


def drawing_settings(wildcards) -> str:
    """What the stage needs to know of a drawing."""
    name = wildcards.drawing
    return settings(
        constants={
            "drawing": name,
            "paper": paper_of(name),
            "settings": DRAWINGS[name].settings,
        }
    )
