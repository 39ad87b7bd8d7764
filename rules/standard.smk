"""The standard training of Joint-DetNAS's baselines ("2x+ms"): alone, from scratch, at several resolutions."""

STANDARD = RUN / "joint_detnas/standard/{baseline}"


use rule train_student as train_standard with:
    input:
        data=rules.prepare_detection_data.output.manifest,
        architecture=RUN / "baselines/{baseline}/manifest.json",
    output:
        weights=STANDARD / "detector/weights.safetensors",
        manifest=STANDARD / "detector/manifest.json",
    log:
        LOGS / "joint_detnas/standard/{baseline}/train.log",
    benchmark:
        BENCHMARKS / "joint_detnas/standard/{baseline}/train.tsv"
    params:
        **tracked("train_student", STANDARD / "detector"),
        settings=settings(
            "normalization",
            "detector",
            "testing",
            training="joint_tables.training",
            constants={"recalibration": None},
        ),
        inputs=f"--architecture {RUN}/baselines/{{baseline}}/manifest.json",
    message:
        "Training {wildcards.baseline} alone, at several resolutions"


use rule evaluate_hit_detector as evaluate_standard with:
    input:
        data=rules.prepare_detection_data.output.manifest,
        detector=STANDARD / "detector/manifest.json",
        weights=STANDARD / "detector/weights.safetensors",
    output:
        metrics=STANDARD / "evaluation/metrics.json",
        manifest=STANDARD / "evaluation/manifest.json",
    log:
        LOGS / "joint_detnas/standard/{baseline}/evaluate.log",
    benchmark:
        BENCHMARKS / "joint_detnas/standard/{baseline}/evaluate.tsv"
    params:
        **tracked("evaluate", STANDARD / "evaluation"),
        settings=settings(
            "normalization",
            "detector",
            "testing",
            "evaluation",
            proposals="supernet.proposals",
        ),
    message:
        "Evaluating {wildcards.baseline}"


rule standard_baselines:
    """Every baseline of the config in the standard training, evaluated."""
    input:
        expand(STANDARD / "evaluation/manifest.json", baseline=CONFIG.named_baselines),
