"""The datasets: built (embedded), or checked and indexed (the user's own); and weights that are given."""

DETECTION = RUN / "data/detection/manifest.json"
CLASSIFICATION = RUN / "data/classification/manifest.json"

# Where the weights of a network lie that is pretrained on the classification data.
PRETRAINED = {
    "screening_supernet": HIT / "screening/supernet",
    "search_supernet": HIT / "supernet",
    "backbone": HIT / "pretraining",
}


wildcard_constraints:
    given="|".join(PRETRAINED),


def annotations() -> list[str]:
    """The user's annotation files."""
    detection = CONFIG.data.detection
    splits = detection.active.splits.values() if detection.source == "coco" else ()
    return [split.annotations for split in splits]


def annotation_files(wildcards) -> list[str]:
    """Those that are there; of the others the stage tells, with all other defects."""
    return [path for path in annotations() if Path(path).exists() and nameable(path)]


def given_weights() -> list[str]:
    """The user's files of weights."""
    if CONFIG.data.classification.source != "checkpoint":
        return []
    return [
        path for path in CONFIG.data.classification.active.model_dump().values() if path
    ]


def given_file(wildcards) -> list[str]:
    """The file of one network's weights."""
    return list(
        filter(nameable, [getattr(CONFIG.data.classification.active, wildcards.given)])
    )


def checking(data) -> dict[str, int]:
    """Resources of a stage that checks a dataset: the user's own may be as large as COCO or ImageNet."""
    return light() if data.source == "embedded" else light(24000, 600)


def pretrained(network: str, file: str = MANIFEST) -> list[str]:
    """A file of a network's pretrained weights; none where it starts from its initialisation."""
    classification = CONFIG.data.classification
    if classification.source == "none":
        return []
    if classification.source == "checkpoint":
        given = getattr(classification.active, network)
        return [f"{RUN}/data/weights/{network}/{file}"] if given else []
    return [f"{PRETRAINED[network]}/{file}"]


rule prepare_detection_data:
    """Build or check the detection dataset, and index it."""
    input:
        annotation_files,
    output:
        index=RUN / "data/detection/dataset.json",
        manifest=DETECTION,
    log:
        LOGS / "prepare_detection_data.log",
    conda:
        "../envs/environment.yaml"
    resources:
        **checking(CONFIG.data.detection),
    params:
        **stage(
            "prepare_detection_data",
            RUN / "data/detection",
            settings(dataset="data.detection"),
            watched=annotations,
        ),
    message:
        "Preparing the detection dataset"
    shell:
        STAGE


rule prepare_classification_data:
    """Build or check the classification dataset, and index it."""
    input:
        detection=DETECTION if CONFIG.data.classification.source == "crops" else [],
    output:
        index=RUN / "data/classification/dataset.json",
        manifest=CLASSIFICATION,
    log:
        LOGS / "prepare_classification_data.log",
    conda:
        "../envs/environment.yaml"
    resources:
        **checking(CONFIG.data.classification),
    params:
        **stage(
            "prepare_classification_data",
            RUN / "data/classification",
            settings(dataset="data.classification"),
        ),
    message:
        "Preparing the classification dataset"
    shell:
        STAGE


rule import_weights:
    """Read weights that were pretrained elsewhere."""
    input:
        given_file,
    output:
        weights=RUN / "data/weights/{given}/weights.safetensors",
        manifest=RUN / "data/weights/{given}/manifest.json",
    log:
        LOGS / "import_weights_{given}.log",
    priority: 1  # before the search: a file that cannot be read is told at once
    localrule: True
    conda:
        "../envs/environment.yaml"
    resources:
        **light(),
    params:
        **stage(
            "import_weights",
            RUN / "data/weights/{given}",
            lambda wildcards: settings(
                file=f"data.classification.checkpoint.{wildcards.given}"
            ),
            watched=given_weights,
        ),
    message:
        "Reading the given weights: {wildcards.given}"
    shell:
        STAGE
