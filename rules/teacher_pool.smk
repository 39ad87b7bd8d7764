"""Joint-DetNAS: the elastic teacher pool, trained phase by phase."""


wildcard_constraints:
    phase="[0-9]+",


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
    threads: CONFIG.teacher_pool.cpus or cpus_of(CONFIG.teacher_pool.gpus)
    resources:
        **heavy(gpus=CONFIG.teacher_pool.gpus),
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
