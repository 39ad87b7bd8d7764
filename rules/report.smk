"""The report: one page over everything the run made."""


rule draw_report:
    """Draw the HTML page, and its tables and figures as files."""
    input:
        data=rules.prepare_detection_data.output.manifest,
        screening_supernet=rules.pretrain_screening_supernet.output.manifest,
        backbone=HIT / "screening/backbone/manifest.json",
        neck=HIT / "screening/neck/manifest.json",
        head=HIT / "screening/head/manifest.json",
        supernet=rules.pretrain_search_supernet.output.manifest,
        search=rules.search.output.manifest,
        architecture=rules.derive.output.manifest,
        pretraining=rules.pretrain_backbone.output.manifest,
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
    message:
        "Drawing the report"
    shell:
        "python -m pipeline.stages.report --data {input.data}"
        " --screening-supernet {input.screening_supernet} --backbone {input.backbone}"
        " --neck {input.neck} --head {input.head} --supernet {input.supernet}"
        " --search {input.search} --architecture {input.architecture}"
        " --pretraining {input.pretraining} --detector {input.detector}"
        " --evaluation {input.evaluation}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"
