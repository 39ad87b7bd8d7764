"""Hit-Detector: screening, search, derivation, pretraining and training, in the paper's order.

Wildcards make one rule of each for the chain itself (`hit_detector/`) and for what is compared with it:
`study`, a chain whose screening differs; `searched`, a search in spaces of its own; `network`, a detector
that is pretrained and trained as the searched one is, in `results/<run>/<network>/`.
"""


wildcard_constraints:
    component="|".join(COMPONENTS),
    study="hit_detector|ablations/sparsity/[a-z_]+(\\.[0-9.e-]+)?",
    searched="hit_detector|ablations/one_space",
    network="hit_detector|baselines/[A-Za-z0-9_]+|ablations/[A-Za-z0-9_/.]+",


def screened_before(wildcards) -> dict[str, str]:
    """The screenings that come before a component's: backbone, neck, head."""
    earlier = COMPONENTS[: COMPONENTS.index(wildcards.component)]
    return {name: f"{HIT}/screening/{name}/manifest.json" for name in earlier}


def screening_settings(wildcards) -> str:
    """The settings of a screening: in a study, with another regulariser and μ."""
    values = {}
    if wildcards.study != "hit_detector":
        regularizer, _, mu = Path(wildcards.study).name.partition(".")
        values["screening.mu"] = float(mu or 0)
        if mu:
            values["screening.regularizer"] = regularizer
    return changed_settings(
        values,
        "supernet",
        "normalization",
        "detector",
        "screening",
        constants={"component": wildcards.component},
    )


def spaces(wildcards) -> dict[str, str]:
    """The sub search space of each component."""
    if wildcards.searched == "hit_detector":
        return {name: f"{HIT}/screening/{name}/manifest.json" for name in COMPONENTS}
    return dict.fromkeys(COMPONENTS, f"{RUN}/{wildcards.searched}/space/manifest.json")


def search_start(file: str = MANIFEST) -> Callable[..., list[str]]:
    """A file of the weights that a search starts from."""

    def of(wildcards) -> list[str]:
        own = CONFIG.data.classification.source not in ("none", "checkpoint")
        if own and wildcards.searched != "hit_detector":
            return [f"{RUN}/{wildcards.searched}/supernet/{file}"]
        return pretrained("search_supernet", file)

    return of


def backbone_start(file: str = MANIFEST) -> Callable[..., list[str]]:
    """A file of the pretrained backbone that a network starts from; none for some."""

    def of(wildcards) -> list[str]:
        kind, _, name = wildcards.network.partition("/")
        if kind == "ablations" and name.startswith("replacement/"):
            return []
        if kind == "hit_detector" or name == "searched_backbone":
            return pretrained("backbone", file)
        if CONFIG.data.classification.source in ("none", "checkpoint"):
            # given weights are those of the searched backbone, and fit no other
            return []
        if name in ("searched_neck", "searched_head"):
            return [f"{RUN}/baselines/{CONFIG.ablations.baseline}/pretraining/{file}"]
        return [f"{RUN}/{wildcards.network}/pretraining/{file}"]

    return of


def network_training(wildcards) -> str:
    """The settings of a network's training: those of the searched detector, shorter in Figure 3."""
    values = {}
    if wildcards.network.startswith("ablations/replacement/"):
        values["training.epochs"] = CONFIG.ablations.replacement.epochs
    return changed_settings(values, *DETECTOR, "training")


# Networks that are trained again with another seed: the architecture of `<network>`, in
# `ablations/again/<k>/<network>/` with the seed `run.seed` + k.
AGAIN = "ablations/again/"


def architecture_of(wildcards) -> str:
    """The manifest of a network's architecture: one trained again has that of its first training."""
    network = wildcards.network
    if network.startswith(AGAIN):
        network = network.removeprefix(AGAIN).partition("/")[2]
    return f"{RUN}/{network}/manifest.json"


def seed_of(wildcards) -> int:
    """The seed of a network's trainings."""
    if not wildcards.network.startswith(AGAIN):
        return CONFIG.run.seed
    return CONFIG.run.seed + int(
        wildcards.network.removeprefix(AGAIN).partition("/")[0]
    )


rule pretrain_screening_supernet:
    """Pretrain the screening backbone supernet with α fixed (section 4.2)."""
    input:
        data=CLASSIFICATION,
    output:
        weights=HIT / "screening/supernet/weights.safetensors",
        manifest=HIT / "screening/supernet/manifest.json",
    log:
        LOGS / "hit_detector/pretrain_screening_supernet.log",
    conda:
        "../envs/environment.yaml"
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
    conda:
        "../envs/environment.yaml"
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
    conda:
        "../envs/environment.yaml"
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
        search_start("weights.safetensors"),
        data=DETECTION,
        supernet=search_start(),
    output:
        scores=RUN / "{searched}/search/scores.json",
        weights=RUN / "{searched}/search/weights.safetensors",
        manifest=RUN / "{searched}/search/manifest.json",
    log:
        LOGS / "{searched}/search.log",
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage(
            "search",
            RUN / "{searched}/search",
            settings("supernet", "normalization", "detector", "search"),
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
    conda:
        "../envs/environment.yaml"
    resources:
        **light(),
    params:
        **stage("derive", RUN / "{searched}"),
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
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage(
            "pretrain_backbone",
            RUN / "{network}/pretraining",
            settings("normalization", "pretraining"),
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
    conda:
        "../envs/environment.yaml"
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
