"""Joint-DetNAS: the elastic teacher pool, trained phase by phase."""


wildcard_constraints:
    phase="[0-9]+",


rule shrink_pool:
    """Train one phase of the pool (section 3.1.3)."""
    input:
        unpack(former_phases),
        data=rules.prepare_detection_data.output.manifest,
    output:
        weights=POOL / "phase_{phase}/weights.safetensors",
        manifest=POOL / "phase_{phase}/manifest.json",
    log:
        LOGS / "shrink_pool_{phase}.log",
    benchmark:
        BENCHMARKS / "shrink_pool_{phase}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.teacher_pool.cpus or CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **tracked("shrink_pool", POOL / "phase_{phase}"),
        settings=phase_settings,
        former=former_phase_arguments,
    message:
        "Training phase {wildcards.phase} of the teacher pool"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.shrink_pool --data {input.data} {params.former}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule teacher_pool:
    """The trained pool: its last phase."""
    input:
        LAST_PHASE,
