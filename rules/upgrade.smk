"""Joint-DetNAS's student upgraded beyond the search (section 4.2.3): `snakemake upgrade`."""

UPGRADE = JOINT / "upgrade"


rule upgrade_detector:
    """A cascade of heads, deformable convolutions, and further epochs with a teacher."""
    input:
        data=rules.prepare_detection_data.output.manifest,
        detector=rules.take_student.output.manifest,
        weights=rules.take_student.output.weights,
        pool=LAST_PHASE,
    output:
        weights=UPGRADE / "detector/weights.safetensors",
        config=UPGRADE / "detector/config.py",
        manifest=UPGRADE / "detector/manifest.json",
    log:
        LOGS / "joint_detnas/upgrade/train.log",
    benchmark:
        BENCHMARKS / "joint_detnas/upgrade/train.tsv"
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **tracked("upgrade_detector", UPGRADE / "detector"),
        settings=settings(
            "normalization",
            "detector",
            "testing",
            "upgrade",
            recalibration="teacher_pool.recalibration",
        ),
    message:
        "Upgrading the student"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.upgrade_detector --data {input.data} --detector {input.detector}"
        " --pool {input.pool}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


use rule evaluate_hit_detector as evaluate_upgrade with:
    input:
        data=rules.prepare_detection_data.output.manifest,
        detector=rules.upgrade_detector.output.manifest,
        weights=rules.upgrade_detector.output.weights,
    output:
        metrics=UPGRADE / "evaluation/metrics.json",
        manifest=UPGRADE / "evaluation/manifest.json",
    log:
        LOGS / "joint_detnas/upgrade/evaluate.log",
    benchmark:
        BENCHMARKS / "joint_detnas/upgrade/evaluate.tsv"
    params:
        **tracked("evaluate", UPGRADE / "evaluation"),
        settings=settings(
            "normalization",
            "detector",
            "testing",
            "evaluation",
            proposals="supernet.proposals",
        ),
    message:
        "Evaluating the upgraded student"


rule upgrade:
    """The upgraded student, evaluated."""
    input:
        rules.evaluate_upgrade.output.metrics,
    localrule: True
