"""The report: one page over everything the run made."""


rule draw_report:
    """Draw the HTML page, and its tables and figures as files."""
    input:
        [*joint_report().values()],
        data=rules.prepare_detection_data.output.manifest,
        screening_supernet=pretrained("screening_supernet"),
        backbone=HIT / "screening/backbone/manifest.json",
        neck=HIT / "screening/neck/manifest.json",
        head=HIT / "screening/head/manifest.json",
        supernet=pretrained("search_supernet"),
        search=rules.search.output.manifest,
        architecture=rules.derive.output.manifest,
        pretraining=pretrained("backbone"),
        detector=rules.train_detector.output.manifest,
        evaluation=rules.evaluate_hit_detector.output.manifest,
    output:
        page=RUN / "report.html",
        manifest=RUN / "manifest.json",
    log:
        LOGS / "draw_report.log",
    benchmark:
        BENCHMARKS / "draw_report.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("report", RUN),
        settings=settings("report"),
        pretrained=" ".join(
            pretrained_argument(name, network)
            for name, network in (
                ("screening-supernet", "screening_supernet"),
                ("supernet", "search_supernet"),
                ("pretraining", "backbone"),
            )
        ),
        joint=" ".join(f"--{name} {path}" for name, path in joint_report().items()),
    message:
        "Drawing the report"
    shell:
        "python -m pipeline.stages.report --data {input.data}"
        " {params.pretrained} --backbone {input.backbone}"
        " --neck {input.neck} --head {input.head}"
        " --search {input.search} --architecture {input.architecture}"
        " --detector {input.detector}"
        " --evaluation {input.evaluation} {params.joint}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"
