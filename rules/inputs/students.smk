"""What the rules of students.smk compute: which networks are trained, and with which teacher."""

BASE = LAYOUT.base


def student_inputs(wildcards) -> dict[str, str]:
    """The network that is trained, and the pool that its teacher comes from, if it has one."""
    kind, _, name = wildcards.trained.partition("/")
    if kind == "base":
        return {"architecture": f"{JOINT}/base/manifest.json"}
    if kind == "alone":
        return {"architecture": f"{JOINT}/sampled/{name}/detector/manifest.json"}
    if kind == "standard":
        return {"architecture": f"{RUN}/baselines/{name}/manifest.json"}
    baseline = f"{RUN}/baselines/{CONFIG.joint_tables.student}/manifest.json"
    return {"architecture": baseline, "pool": str(LAST_PHASE)}


def student_settings(wildcards) -> str:
    """The settings of a student's training; only a teacher is recalibrated."""
    recalibration = CONFIG.teacher_pool.recalibration.model_dump(mode="json")
    taught = wildcards.trained.startswith("with_")
    base = wildcards.trained == "base"
    changes = {}
    if wildcards.trained == "with_imitation":
        terms = {"features": 0.0, "classes": 0.0, "boxes": 0.0}
        imitation = {**terms, "imitation": CONFIG.joint_tables.imitation}
        changes["joint_tables.training.distillation"] = imitation
    return settings(
        *DETECTOR,
        changes=changes,
        training="base_detector.training" if base else "joint_tables.training",
        constants={"recalibration": recalibration if taught else None},
    )


def given_detector() -> list[str]:
    """The config and the weights of the user's own base."""
    given = CONFIG.base_detector.mmdet
    return [given.config, given.checkpoint]
