"""Joint-DetNAS's base detector: the user's own, or one of the zoo, which students.smk trains and evaluates."""

if CONFIG.base_detector.source == "zoo":

    use rule choose_network as choose_base with:
        output:
            architecture=JOINT / "base/architecture.json",
            manifest=JOINT / "base/manifest.json",
        log:
            LOGS / "joint_detnas/base/choose_network.log",
        benchmark:
            BENCHMARKS / "joint_detnas/base/choose_network.tsv"
        params:
            **tracked("choose_network", JOINT / "base"),
            settings=base_settings(),
        message:
            "Taking the base detector from the zoo"


if CONFIG.base_detector.source == "mmdet":

    rule convert_base:
        """Check and convert the user's mmdet detector, the base of the search (section 4.2)."""
        input:
            data=rules.prepare_detection_data.output.manifest,
            config=CONFIG.base_detector.mmdet.config,
            checkpoint=CONFIG.base_detector.mmdet.checkpoint,
        output:
            weights=BASE / "weights.safetensors",
            config=BASE / "config.py",
            manifest=BASE / "manifest.json",
        log:
            LOGS / "convert_base.log",
        benchmark:
            BENCHMARKS / "convert_base.tsv"
        priority: 1  # before the teacher pool trains: a detector that does not fit is told at once
        conda:
            "../envs/environment.yaml"
        threads: 1
        resources:
            **light(),
        params:
            **tracked("convert_base", BASE),
            settings=settings(
                "normalization", "detector", "testing", base="base_detector.mmdet"
            ),
        message:
            "Converting the base detector"
        shell:
            "python -m pipeline.stages.convert_base --data {input.data}"
            " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
            " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"
