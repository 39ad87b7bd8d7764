"""Hit-Detector: screening, search, derivation, pretraining and training, in the paper's order.

Wildcards make one rule of each for the chain itself (`hit_detector/`) and for what is compared with it:
`study`, a chain whose screening differs; `searched`, a search in spaces of its own; `network`, a detector
that is pretrained and trained as the searched one is, in `results/<run>/<network>/`.
"""


wildcard_constraints:
    component="|".join(COMPONENTS),
    study="hit_detector|ablations/sparsity/[a-z_]+(\\.[0-9.e-]+)?",
    searched="hit_detector|ablations/one_space|ablations/apart/(" + "|".join(COMPONENTS) + ")",
    network="hit_detector(/finalists/[0-9]+)?|baselines/[A-Za-z0-9_]+|ablations/[A-Za-z0-9_/.]+",


rule pretrain_screening_supernet:
    """Pretrain the screening backbone supernet with α fixed (section 4.2)."""
    input:
        data=CLASSIFICATION,
    output:
        weights=HIT / "screening/supernet/weights.safetensors",
        manifest=HIT / "screening/supernet/manifest.json",
    log:
        LOGS / "hit_detector/pretrain_screening_supernet.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage(
            "pretrain_screening_supernet",
            HIT / "screening/supernet",
            settings(
                "supernet",
                "normalization",
                candidates="screening.candidates",
                pretraining="screening_pretraining",
            ),
        ),
    message:
        "Pretraining the screening supernet"
    shell:
        STAGE


rule screen:
    """Screen the sub search space of a component (section 3.2)."""
    input:
        unpack(screened_before),
        pretrained("screening_supernet", "weights.safetensors"),
        data=DETECTION,
        supernet=pretrained("screening_supernet"),
    output:
        space=RUN / "{study}/screening/{component}/sub_search_space.json",
        manifest=RUN / "{study}/screening/{component}/manifest.json",
    log:
        LOGS / "{study}/screen_{component}.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage("screen", RUN / "{study}/screening/{component}", screening_settings),
    message:
        "Screening the {wildcards.component} of {wildcards.study}"
    shell:
        STAGE


rule pretrain_search_supernet:
    """Pretrain the search backbone supernet over its sub search space (section 4.2)."""
    input:
        data=CLASSIFICATION,
        space=lambda wildcards: spaces(wildcards)["backbone"],
    output:
        weights=RUN / "{searched}/supernet/weights.safetensors",
        manifest=RUN / "{searched}/supernet/manifest.json",
    log:
        LOGS / "{searched}/pretrain_search_supernet.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage(
            "pretrain_search_supernet",
            RUN / "{searched}/supernet",
            settings("supernet", "normalization", pretraining="search_pretraining"),
        ),
    message:
        "Pretraining the search supernet of {wildcards.searched}"
    shell:
        STAGE


rule search:
    """Search backbone, neck and head together (sections 3.3 and 3.4)."""
    input:
        unpack(spaces),
        unpack(operation_times),
        search_start("weights.safetensors"),
        data=DETECTION,
        supernet=search_start(),
    output:
        scores=RUN / "{searched}/search/scores.json",
        weights=RUN / "{searched}/search/weights.safetensors",
        manifest=RUN / "{searched}/search/manifest.json",
    log:
        LOGS / "{searched}/search.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage(
            "search",
            RUN / "{searched}/search",
            settings(
                "supernet",
                "normalization",
                "detector",
                constants={"search": of_search(DifferentiableSearch)},
            ),
        ),
    message:
        "Searching {wildcards.searched} end to end"
    shell:
        STAGE


rule derive:
    """Decode the architecture: in each layer the operation with the highest score (section 3.3)."""
    input:
        search=RUN / "{searched}/search/manifest.json",
    output:
        architecture=RUN / "{searched}/architecture.json",
        manifest=RUN / "{searched}/manifest.json",
    log:
        LOGS / "{searched}/derive.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage("derive", RUN / "{searched}", derivation_settings()),
    message:
        "Deriving the architecture of {wildcards.searched}"
    shell:
        STAGE


rule pretrain_backbone:
    """Pretrain a network's backbone (section 4.2)."""
    input:
        data=CLASSIFICATION,
        architecture=architecture_of,
    output:
        weights=RUN / "{network}/pretraining/weights.safetensors",
        manifest=RUN / "{network}/pretraining/manifest.json",
    log:
        LOGS / "{network}/pretrain_backbone.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage(
            "pretrain_backbone",
            RUN / "{network}/pretraining",
            network_pretraining,
            seed=seed_of,
        ),
    message:
        "Pretraining the backbone of {wildcards.network}"
    shell:
        STAGE


rule train_detector:
    """Train a network as a detector (section 4.2)."""
    input:
        backbone_start("weights.safetensors"),
        data=DETECTION,
        architecture=architecture_of,
        backbone=backbone_start(),
    output:
        weights=RUN / "{network}/detector/weights.safetensors",
        config=RUN / "{network}/detector/config.py",
        manifest=RUN / "{network}/detector/manifest.json",
    log:
        LOGS / "{network}/train_detector.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage(
            "train_detector",
            RUN / "{network}/detector",
            network_training,
            seed=seed_of,
        ),
    message:
        "Training {wildcards.network}"
    shell:
        STAGE


rule hit_detector:
    """The Hit-Detector chain, up to the evaluated detector."""
    input:
        HIT / "evaluation/metrics.json",
    localrule: True
