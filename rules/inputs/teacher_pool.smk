"""What the rules of teacher_pool.smk compute: where the pool lies, a phase's inputs and settings."""

POOL = LAYOUT.pool
LAST_PHASE = LAYOUT.last_phase


def former_phases(wildcards) -> dict[str, str]:
    """The phase before, and phase 0, whose largest net teaches; phase 0 itself has its start, if one is given."""
    phase = int(wildcards.phase)
    if phase == 0 and CONFIG.teacher_pool.grown_from_base:
        return {"base": f"{LAYOUT.base}/{MANIFEST}", "start": f"{LAYOUT.base}/weights.safetensors"}
    if phase == 0:
        return start("teacher_pool")
    return {
        "former": f"{POOL}/phase_{phase - 1}/manifest.json",
        "largest": f"{POOL}/phase_0/manifest.json",
    }


def phase_settings(wildcards) -> str:
    """The settings of a phase. Other phases are no part of it: a change there leaves it as it is."""
    number = int(wildcards.phase)
    phase = CONFIG.teacher_pool.phases[number].model_dump(mode="json")
    distillation = CONFIG.teacher_pool.distillation.model_dump(mode="json")
    return settings(
        *DETECTOR,
        space="teacher_pool.space",
        recalibration="teacher_pool.recalibration",
        constants={
            "phase": phase,
            "distillation": distillation if number else None,
            **({} if number else freezing("teacher_pool")),
        },
    )
