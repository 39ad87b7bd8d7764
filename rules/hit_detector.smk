"""Hit-Detector: screening, search, derivation, and training of what was found, in the paper's order."""


wildcard_constraints:
    component="|".join(COMPONENTS),


rule pretrain_screening_supernet:
    """Pretrain the screening backbone supernet with α fixed (section 4.2)."""
    input:
        data=rules.prepare_classification_data.output.manifest,
    output:
        weights=HIT / "screening/supernet/weights.safetensors",
        manifest=HIT / "screening/supernet/manifest.json",
    log:
        LOGS / "pretrain_screening_supernet.log",
    benchmark:
        BENCHMARKS / "pretrain_screening_supernet.tsv"
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **tracked("pretrain_screening_supernet", HIT / "screening/supernet"),
        settings=settings(
            "supernet",
            "normalization",
            candidates="screening.candidates",
            pretraining="screening_pretraining",
        ),
    message:
        "Pretraining the screening supernet"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.pretrain_screening_supernet --data {input.data}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule screen:
    """Screen the sub search space of a component (section 3.2)."""
    input:
        unpack(screened_before),
        data=rules.prepare_detection_data.output.manifest,
        supernet=pretrained("screening_supernet"),
        weights=pretrained("screening_supernet", "weights.safetensors"),
    output:
        space=HIT / "screening/{component}/sub_search_space.json",
        manifest=HIT / "screening/{component}/manifest.json",
    log:
        LOGS / "screen_{component}.log",
    benchmark:
        BENCHMARKS / "screen_{component}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **tracked("screen", HIT / "screening/{component}"),
        settings=settings("supernet", "normalization", "detector", "screening"),
        supernet=pretrained_argument("supernet", "screening_supernet"),
        screened=screened_arguments,
    message:
        "Screening the {wildcards.component}"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.screen --component {wildcards.component}"
        " --data {input.data} {params.supernet} {params.screened}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule pretrain_search_supernet:
    """Pretrain the search backbone supernet over its sub search space (section 4.2)."""
    input:
        data=rules.prepare_classification_data.output.manifest,
        space=HIT / "screening/backbone/manifest.json",
    output:
        weights=HIT / "supernet/weights.safetensors",
        manifest=HIT / "supernet/manifest.json",
    log:
        LOGS / "pretrain_search_supernet.log",
    benchmark:
        BENCHMARKS / "pretrain_search_supernet.tsv"
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **tracked("pretrain_search_supernet", HIT / "supernet"),
        settings=settings("supernet", "normalization", pretraining="search_pretraining"),
    message:
        "Pretraining the search supernet"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.pretrain_search_supernet --data {input.data}"
        " --space {input.space}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule search:
    """Search backbone, neck and head together (sections 3.3 and 3.4)."""
    input:
        data=rules.prepare_detection_data.output.manifest,
        backbone=HIT / "screening/backbone/manifest.json",
        neck=HIT / "screening/neck/manifest.json",
        head=HIT / "screening/head/manifest.json",
        supernet=pretrained("search_supernet"),
        weights=pretrained("search_supernet", "weights.safetensors"),
    output:
        scores=HIT / "search/scores.json",
        weights=HIT / "search/weights.safetensors",
        manifest=HIT / "search/manifest.json",
    log:
        LOGS / "search.log",
    benchmark:
        BENCHMARKS / "search.tsv"
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **tracked("search", HIT / "search"),
        settings=settings("supernet", "normalization", "detector", "search"),
        supernet=pretrained_argument("supernet", "search_supernet"),
    message:
        "Searching backbone, neck and head end to end"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.search --data {input.data} --backbone {input.backbone}"
        " --neck {input.neck} --head {input.head} {params.supernet}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule derive:
    """Decode the architecture: in each layer the operation with the highest score (section 3.3)."""
    input:
        search=rules.search.output.manifest,
    output:
        architecture=HIT / "architecture.json",
        manifest=HIT / "manifest.json",
    log:
        LOGS / "derive.log",
    benchmark:
        BENCHMARKS / "derive.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("derive", HIT),
        settings=settings(),
    message:
        "Deriving the architecture"
    shell:
        "python -m pipeline.stages.derive --search {input.search}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule pretrain_backbone:
    """Pretrain the derived backbone (section 4.2)."""
    input:
        data=rules.prepare_classification_data.output.manifest,
        architecture=rules.derive.output.manifest,
    output:
        weights=HIT / "pretraining/weights.safetensors",
        manifest=HIT / "pretraining/manifest.json",
    log:
        LOGS / "pretrain_backbone.log",
    benchmark:
        BENCHMARKS / "pretrain_backbone.tsv"
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **tracked("pretrain_backbone", HIT / "pretraining"),
        settings=settings("normalization", "pretraining"),
    message:
        "Pretraining the derived backbone"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.pretrain_backbone --data {input.data}"
        " --architecture {input.architecture}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule train_detector:
    """Train the derived detector (section 4.2)."""
    input:
        data=rules.prepare_detection_data.output.manifest,
        architecture=rules.derive.output.manifest,
        backbone=pretrained("backbone"),
        weights=pretrained("backbone", "weights.safetensors"),
    output:
        weights=HIT / "detector/weights.safetensors",
        config=HIT / "detector/config.py",
        manifest=HIT / "detector/manifest.json",
    log:
        LOGS / "train_detector.log",
    benchmark:
        BENCHMARKS / "train_detector.tsv"
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **tracked("train_detector", HIT / "detector"),
        settings=settings("normalization", "detector", "testing", "training"),
        backbone=pretrained_argument("backbone", "backbone"),
    message:
        "Training the derived detector"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.train_detector --data {input.data}"
        " --architecture {input.architecture} {params.backbone}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"
