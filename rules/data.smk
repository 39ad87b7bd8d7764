"""The datasets: built (embedded), or checked and indexed (the user's own); and weights that are given."""


wildcard_constraints:
    given="|".join([*PRETRAINED, *CONFIG.pretrained]),


rule prepare_detection_data:
    """Build or check the detection dataset, and index it."""
    output:
        index=RUN / "data/detection/dataset.json",
        manifest=DETECTION,
    log:
        LOGS / "prepare_detection_data.log",
    resources:
        **checking(CONFIG.data.detection),
    params:
        **stage(
            "prepare_detection_data",
            RUN / "data/detection",
            settings(dataset="data.detection"),
            seed=0,  # what they draw, they draw from seeds of their own section
        ),
        # no input: a file whose head alone has changed, or its masks, is the same data
        annotations=annotations,
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
    resources:
        **checking(CONFIG.data.classification),
    params:
        **stage(
            "prepare_classification_data",
            RUN / "data/classification",
            settings(dataset="data.classification"),
            seed=0,  # what they draw, they draw from seeds of their own section
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
    resources:
        **light(),
    params:
        **stage(
            "import_weights",
            RUN / "data/weights/{given}",
            lambda wildcards: settings(constants={"file": given_weights()[wildcards.given]}),
            watched=lambda: list(given_weights().values()),
        ),
    message:
        "Reading the given weights: {wildcards.given}"
    shell:
        STAGE
