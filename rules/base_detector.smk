"""Joint-DetNAS's base detector, where it is the user's own."""

BASE = RUN / "joint_detnas/base/detector"


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
