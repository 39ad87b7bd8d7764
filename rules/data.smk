"""The datasets: built (embedded), or checked and indexed (the user's own)."""


rule prepare_detection_data:
    """Build or check the detection dataset, and index it."""
    input:
        annotations=annotation_files,
    output:
        index=RUN / "data/detection/dataset.json",
        manifest=RUN / "data/detection/manifest.json",
    log:
        LOGS / "prepare_detection_data.log",
    benchmark:
        BENCHMARKS / "prepare_detection_data.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **checking(CONFIG.data.detection),
    params:
        **tracked("prepare_detection_data", RUN / "data/detection"),
        settings=settings(dataset="data.detection"),
    message:
        "Preparing the detection dataset"
    shell:
        "python -m pipeline.stages.prepare_detection_data"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


wildcard_constraints:
    network="|".join(PRETRAINED),


rule prepare_classification_data:
    """Build or check the classification dataset, and index it."""
    input:
        detection=rules.prepare_detection_data.output.manifest if CROPPED else [],
    output:
        index=RUN / "data/classification/dataset.json",
        manifest=RUN / "data/classification/manifest.json",
    log:
        LOGS / "prepare_classification_data.log",
    benchmark:
        BENCHMARKS / "prepare_classification_data.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **checking(CONFIG.data.classification),
    params:
        **tracked("prepare_classification_data", RUN / "data/classification"),
        settings=settings(dataset="data.classification"),
        detection="--detection" if CROPPED else "",
    message:
        "Preparing the classification dataset"
    shell:
        "python -m pipeline.stages.prepare_classification_data"
        " {params.detection} {input.detection}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule import_weights:
    """Read weights that were pretrained elsewhere."""
    input:
        file=given_weights,
    output:
        weights=RUN / "data/weights/{network}/weights.safetensors",
        manifest=RUN / "data/weights/{network}/manifest.json",
    log:
        LOGS / "import_weights_{network}.log",
    benchmark:
        BENCHMARKS / "import_weights_{network}.tsv"
    priority: 1  # before the search: a file that cannot be read is told at once
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("import_weights", RUN / "data/weights/{network}"),
        settings=given_weights_settings,
    message:
        "Reading the given weights: {wildcards.network}"
    shell:
        "python -m pipeline.stages.import_weights"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"
