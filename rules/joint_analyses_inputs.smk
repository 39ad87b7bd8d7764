"""What the rules of joint_analyses.smk compute: which searches and detectors are compared, and their settings."""

DESCENT = JOINT / "descent"
FIXED = JOINT / "fixed_teacher"
PIPELINES = JOINT / "pipelines"


def in_fixed(found):
    """Paths, or arguments that name them, moved from the search to the one with a fixed teacher."""
    if isinstance(found, str):
        return found.replace(f"{CLIMB}/", f"{FIXED}/")
    return [in_fixed(path) for path in found]


def in_second_search(of):
    """What a function of hill_climb_inputs.smk says of a generation, of the search with a fixed teacher."""

    def moved(wildcards):
        return in_fixed(of(wildcards))

    return moved


def fixed_proposing_settings(wildcards) -> str:
    """The settings of a generation's proposals where only the student evolves: its teacher stays the largest."""
    proposing = climb_part(Proposing) | {"evolve_student": 1.0}
    generation = int(wildcards.generation)
    return settings(constants={"proposing": proposing, "generation": generation})


def all_candidates(climb: Path) -> dict[str, str]:
    """The manifests of all candidates of a search, by the names that stages give them."""
    last = CONFIG.hill_climb.generations - 1
    return {
        name: path.replace(f"{CLIMB}/", f"{climb}/")
        for name, path in candidates_until(last).items()
    }


def evaluation_of(name: str) -> str:
    """The manifest of the evaluation of one of Joint-DetNAS's detectors."""
    folder = "evaluation" if name == "student" else f"{name}/evaluation"
    return f"{JOINT}/{folder}/manifest.json"


def pruned_detectors() -> dict[str, str]:
    """The base and the pruned ones (Table 2), by name."""
    pruned = {
        f"pruned_{percentage:g}": evaluation_of(f"pruned/{percentage:g}")
        for percentage in CONFIG.joint_tables.percentages
    }
    return {"base": evaluation_of("base"), **pruned}


def upgraded_detectors() -> dict[str, str]:
    """The base, the same trained longer, and the student (Table 4)."""
    return {name: evaluation_of(name) for name in ("base", "base_longer", "student")}


PIPELINE_STARTS = {
    "base_prune_distil": evaluation_of("base"),
    "nas_prune_distil": evaluation_of("pipelines/nas"),
}
PIPELINE_ENDS = {
    **{name: evaluation_of(f"pipelines/{name}") for name in PIPELINE_STARTS},
    "joint_detnas": evaluation_of("student"),
}


def refined_inputs(wildcards) -> dict[str, str]:
    """The detector that is trained further, and what its pruning or the length of its training follows."""
    student = f"{JOINT}/student/detector/manifest.json"
    match wildcards.refined.partition("/"):
        case ("base_longer", _, _):
            return {"detector": f"{BASE}/manifest.json", "lineage": student}
        case ("pipelines", _, name):
            start = PIPELINES / "nas/detector" if name == "nas_prune_distil" else BASE
            return {
                "detector": f"{start}/manifest.json",
                "pool": str(LAST_PHASE),
                "target": student,
            }
        case _:
            return {"detector": f"{BASE}/manifest.json"}


def refined_arguments(wildcards) -> str:
    """The command-line arguments that name them."""
    given = refined_inputs(wildcards)
    return " ".join(f"--{name} {path}" for name, path in given.items())


def refined_settings(wildcards) -> str:
    """The settings of a further training: that of the candidates, or a pipeline's with its teacher."""
    kind, _, name = wildcards.refined.partition("/")
    recalibration = CONFIG.teacher_pool.recalibration.model_dump(mode="json")
    taught = kind == "pipelines"
    return settings(
        "normalization",
        "detector",
        "testing",
        training="joint_tables.training" if taught else "hill_climb.training",
        proposals="supernet.proposals",
        constants={
            "recalibration": recalibration if taught else None,
            "percentage": float(name) if kind == "pruned" else None,
        },
    )


def pool_search_settings() -> str:
    """The settings of the pipeline's search in the teacher pool."""
    return settings(
        "normalization",
        "detector",
        "testing",
        recalibration="teacher_pool.recalibration",
        proposals="supernet.proposals",
        draws="joint_tables.draws",
        constants={"scoring": climb_part(Scoring)},
    )


def joint_report() -> dict[str, str]:
    """What the report shows of Joint-DetNAS, by the names of its arguments."""
    if not CONFIG.report.joint_detnas:
        return {}
    evaluations = {
        name.replace("_", "-"): path for name, path in upgraded_detectors().items()
    }
    return {
        **evaluations,
        "descent": f"{DESCENT}/manifest.json",
        "allocation": f"{RUN}/figures/joint_figure7/manifest.json",
    }
