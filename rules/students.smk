"""Joint-DetNAS: subnets of the pool, students trained with its teacher or alone (Tables 1 and 3), the base."""

STUDENT = RUN / "joint_detnas/{student}"


wildcard_constraints:
    student="base|sampled/[0-9]+|alone/[0-9]+|with_teacher",
    trained=f"{TRAINED_BASE}alone/[0-9]+|with_teacher",
    number="[0-9]+",


rule sample_subnet:
    """Take a subnet from the pool without training it (Table 1)."""
    input:
        data=rules.prepare_detection_data.output.manifest,
        pool=LAST_PHASE,
    output:
        weights=RUN / "joint_detnas/sampled/{number}/detector/weights.safetensors",
        manifest=RUN / "joint_detnas/sampled/{number}/detector/manifest.json",
    log:
        LOGS / "joint_detnas/sampled/{number}/sample.log",
    benchmark:
        BENCHMARKS / "joint_detnas/sampled/{number}/sample.tsv"
    conda:
        "../envs/environment.yaml"
    threads: cpus_of(1)
    resources:
        **heavy(60, gpus=1),
    params:
        **tracked("sample_subnet", RUN / "joint_detnas/sampled/{number}/detector"),
        settings=sampling_settings,
    message:
        "Taking subnet {wildcards.number} from the teacher pool"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.sample_subnet --data {input.data} --pool {input.pool}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule train_student:
    """Train a network at several resolutions, with the pool's largest net as teacher or alone."""
    input:
        unpack(student_inputs),
        data=rules.prepare_detection_data.output.manifest,
    output:
        weights=RUN / "joint_detnas/{trained}/detector/weights.safetensors",
        manifest=RUN / "joint_detnas/{trained}/detector/manifest.json",
    log:
        LOGS / "joint_detnas/{trained}/train.log",
    benchmark:
        BENCHMARKS / "joint_detnas/{trained}/train.tsv"
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **tracked("train_student", RUN / "joint_detnas/{trained}/detector"),
        settings=student_settings,
        inputs=student_arguments,
    message:
        "Training {wildcards.trained}"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.train_student --data {input.data} {params.inputs}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


use rule evaluate_hit_detector as evaluate_student with:
    input:
        data=rules.prepare_detection_data.output.manifest,
        detector=STUDENT / "detector/manifest.json",
        weights=STUDENT / "detector/weights.safetensors",
    output:
        metrics=STUDENT / "evaluation/metrics.json",
        manifest=STUDENT / "evaluation/manifest.json",
    log:
        LOGS / "joint_detnas/{student}/evaluate.log",
    benchmark:
        BENCHMARKS / "joint_detnas/{student}/evaluate.tsv"
    params:
        **tracked("evaluate", STUDENT / "evaluation"),
        settings=settings(
            "normalization",
            "detector",
            "testing",
            "evaluation",
            proposals="supernet.proposals",
        ),
    message:
        "Evaluating {wildcards.student}"
