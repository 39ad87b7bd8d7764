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
                proposals="supernet.proposals",
                constants={"evaluation": EVALUATING},
            ),
        ),
    message:
        "Evaluating {wildcards.detector}"
    shell:
        STAGE


rule predict_for_server:
    """Detect on a split without annotations, for COCO's evaluation server."""
    input:
        predicted_files,
        RUN / "{detector}/detector/weights.safetensors",
        data=DETECTION,
        detector=RUN / "{detector}/detector/manifest.json",
    output:
        manifest=RUN / "{detector}/server/manifest.json",
    log:
        LOGS / "{detector}/predict_for_server.log",
    threads: 2
    resources:
        **heavy(120, gpus=1),
    params:
        **stage("predict_for_server", RUN / "{detector}/server", server_settings),
    message:
        "Detecting with {wildcards.detector} for COCO's server"
    shell:
        STAGE


rule server_results:
    """What COCO's evaluation server takes, of what both methods found."""
    input:
        server_manifests,
    localrule: True
