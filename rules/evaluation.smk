"""Evaluation of detectors: COCO's numbers, cost, speed."""


rule evaluate_hit_detector:
    """Evaluate the searched detector on the test split, where there is one, or the validation split."""
    input:
        data=rules.prepare_detection_data.output.manifest,
        detector=rules.train_detector.output.manifest,
        weights=rules.train_detector.output.weights,
    output:
        metrics=HIT / "evaluation/metrics.json",
        manifest=HIT / "evaluation/manifest.json",
    log:
        LOGS / "evaluate_hit_detector.log",
    benchmark:
        BENCHMARKS / "evaluate_hit_detector.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 2
    resources:
        **heavy(120, gpus=1),
    params:
        **tracked("evaluate", HIT / "evaluation"),
        settings=settings(
            "normalization",
            "detector",
            "testing",
            "evaluation",
            proposals="supernet.proposals",
        ),
    message:
        "Evaluating the searched detector"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.evaluate --data {input.data} --detector {input.detector}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"
