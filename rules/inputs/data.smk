"""Where the datasets and given weights lie, and what their rules ask for."""

DETECTION = RUN / "data/detection/manifest.json"
CLASSIFICATION = RUN / "data/classification/manifest.json"

# Where the weights of a network lie that is pretrained on the classification data.
PRETRAINED = {
    "screening_supernet": HIT / "screening/supernet",
    "search_supernet": HIT / "supernet",
    "backbone": HIT / "pretraining",
}


def annotation_files(wildcards) -> list[str]:
    """The user's annotation files; of those that are missing the stage tells, with all other defects."""
    files = CONFIG.data.detection.active.annotation_files.values()
    return [file for file in files if Path(file).exists()]


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
