"""What the rules of students.smk compute: which networks are trained, and with which teacher."""

from pipeline.driver.bases import chain_of

BASE = LAYOUT.base
IS_BASE = ("base", "bases")


def starting_network(trained: str) -> str:
    """Whose given weights a student starts from, if there are some."""
    kind, _, name = trained.partition("/")
    names = {"base": "base_detector", "alone": "", "standard": f"baselines/{name}"}
    names["bases"] = chain_of(trained)
    return names.get(kind, f"baselines/{CONFIG.joint_tables.student}")


def student_inputs(wildcards) -> dict[str, str]:
    """The network that is trained, its given start, and the pool that its teacher comes from, if it has one."""
    kind, _, name = wildcards.trained.partition("/")
    network = starting_network(wildcards.trained)
    if kind in IS_BASE:
        architecture = f"{JOINT}/{wildcards.trained}/manifest.json"
    elif kind == "alone":
        architecture = f"{JOINT}/sampled/{name}/detector/manifest.json"
    else:
        architecture = f"{RUN}/{network}/manifest.json"
    pool = {"pool": str(LAST_PHASE)} if kind.startswith("with_") else {}
    return {"architecture": architecture, **pool, **start(network)}


def student_settings(wildcards) -> str:
    """The settings of a student's training; only a teacher is recalibrated."""
    recalibration = CONFIG.teacher_pool.recalibration.model_dump(mode="json")
    taught = wildcards.trained.startswith("with_")
    base = wildcards.trained.partition("/")[0] in IS_BASE
    changes = {}
    if wildcards.trained == "with_imitation":
        terms = {"features": 0.0, "classes": 0.0, "boxes": 0.0}
        imitation = {**terms, "imitation": CONFIG.joint_tables.imitation}
        changes["joint_tables.training.distillation"] = imitation
    return settings(
        *DETECTOR,
        changes=changes,
        training="base_detector.training" if base else "joint_tables.training",
        constants={
            "recalibration": recalibration if taught else None,
            **freezing(starting_network(wildcards.trained)),
        },
    )


def given_detector() -> list[str]:
    """The config and the weights of the user's own base."""
    given = CONFIG.base_detector.mmdet
    return [given.config, given.checkpoint]
