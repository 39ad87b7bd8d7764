"""Joint-DetNAS: the elastic teacher pool, trained phase by phase."""

POOL = JOINT / "teacher_pool"
LAST_PHASE = POOL / f"phase_{len(CONFIG.teacher_pool.phases) - 1}/manifest.json"


wildcard_constraints:
    phase="[0-9]+",


def former_phases(wildcards) -> dict[str, str]:
    """The phase before, and phase 0, whose largest net teaches; none for phase 0 itself."""
    phase = int(wildcards.phase)
    if phase == 0:
        return {}
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
        constants={"phase": phase, "distillation": distillation if number else None},
    )


rule shrink_pool:
    """Train one phase of the pool (section 3.1.3)."""
    input:
        unpack(former_phases),
        data=DETECTION,
    output:
        weights=POOL / "phase_{phase}/weights.safetensors",
        manifest=POOL / "phase_{phase}/manifest.json",
    log:
        LOGS / "joint_detnas/shrink_pool_{phase}.log",
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.teacher_pool.cpus or CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage("shrink_pool", POOL / "phase_{phase}", phase_settings),
    message:
        "Training phase {wildcards.phase} of the teacher pool"
    shell:
        STAGE


rule teacher_pool:
    """The trained pool: its last phase."""
    input:
        LAST_PHASE,
    localrule: True
