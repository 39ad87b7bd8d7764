"""Where the datasets and given weights lie, and what their rules ask for."""

from pipeline.driver.annotations import current_versions

DETECTION = RUN / "data/detection/manifest.json"
CLASSIFICATION = RUN / "data/classification/manifest.json"
VERSIONS = Path(".snakemake") / "detsearch" / "annotations.json"

# Where the weights of a network lie that is pretrained on the classification data.
PRETRAINED = {
    "screening_supernet": HIT / "screening/supernet",
    "search_supernet": HIT / "supernet",
    "backbone": HIT / "pretraining",
}


def annotations(wildcards) -> list[str]:
    """The versions of the user's annotation files; of those that are missing the stage tells."""
    data = CONFIG.data.detection
    return current_versions(data.active.annotation_files, data.source, VERSIONS)


def given_weights() -> dict[str, str]:
    """The user's files of weights, by the networks whose they are."""
    given = {place: each.checkpoint for place, each in CONFIG.pretrained.items()}
    if CONFIG.data.classification.source == "checkpoint":
        given |= CONFIG.data.classification.active.model_dump()
    return {network: path for network, path in given.items() if path}


def given_file(wildcards) -> list[str]:
    """The file of one network's weights."""
    return list(filter(nameable, [given_weights()[wildcards.given]]))


def start(network: str) -> dict[str, str]:
    """The given weights that a network's backbone starts from, as named inputs; none where it has none."""
    if network not in CONFIG.pretrained:
        return {}
    folder = f"{RUN}/data/weights/{network}"
    return {"backbone": f"{folder}/{MANIFEST}", "start": f"{folder}/weights.safetensors"}


def freezing(network: str) -> dict[str, object]:
    """What of these stays as it is, for `constants`."""
    if network not in CONFIG.pretrained:
        return {}
    return {"freezing": CONFIG.pretrained[network].freezing.model_dump(mode="json")}


def checking(data) -> dict[str, int]:
    """Resources of a stage that checks a dataset: the user's own may be as large as COCO or ImageNet."""
    return light() if data.source == "embedded" else light(24000, 600)


def pretrained(network: str, file: str = MANIFEST) -> list[str]:
    """A file of a network's pretrained weights; none where it starts from its initialisation."""
    classification = CONFIG.data.classification
    screens = not CONFIG.screening.spaces
    if classification.source == "none" or (network == "screening_supernet" and not screens):
        return []
    if classification.source == "checkpoint":
        given = getattr(classification.active, network)
        return [f"{RUN}/data/weights/{network}/{file}"] if given else []
    return [f"{PRETRAINED[network]}/{file}"]
