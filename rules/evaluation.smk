"""Evaluation of detectors: COCO's numbers, cost, speed."""


rule evaluate:
    """Evaluate a detector on the test split, where there is one, or the validation split."""
    input:
        RUN / "{detector}/detector/weights.safetensors",
        data=DETECTION,
        detector=RUN / "{detector}/detector/manifest.json",
    output:
        metrics=RUN / "{detector}/evaluation/metrics.json",
        manifest=RUN / "{detector}/evaluation/manifest.json",
    log:
        LOGS / "{detector}/evaluate.log",
    threads: max(2, CONFIG.run.cpus)
    resources:
        **heavy(120),
    params:
        **stage(
            "evaluate",
            RUN / "{detector}/evaluation",
            settings(
                *DETECTOR,
                "evaluation",
                proposals="supernet.proposals",
            ),
        ),
    message:
        "Evaluating {wildcards.detector}"
    shell:
        STAGE
