"""What the rules of hit_detector.smk compute: which artifacts a chain, a search or a network starts from, and settings."""

from pipeline.config.base import Section
from pipeline.config.hit_detector import (
    DifferentiableSearch,
    PathSearchConfig,
    SupernetTraining,
)
from pipeline.driver.layout import AGAIN, FINALISTS


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
    return settings(
        "supernet",
        "normalization",
        "detector",
        "screening",
        changes=values,
        constants={"component": wildcards.component},
    )


def spaces(wildcards) -> dict[str, str]:
    """The sub search space of each component."""
    screened = {name: f"{HIT}/screening/{name}/manifest.json" for name in COMPONENTS}
    if wildcards.searched == "hit_detector":
        return screened
    if wildcards.searched.startswith("ablations/apart/"):
        held = f"{RUN}/ablations/apart/held"
        component = Path(wildcards.searched).name
        return {
            name: screened[name] if name == component else f"{held}/{name}/manifest.json"
            for name in COMPONENTS
        }
    return dict.fromkeys(COMPONENTS, f"{RUN}/{wildcards.searched}/space/manifest.json")


def operation_times(wildcards) -> dict[str, str]:
    """What tells how long operations take, where a search counts that."""
    if CONFIG.search.cost == "macs":
        return {}
    return {"operation_times": f"{RUN}/{wildcards.searched}/operation_times/{MANIFEST}"}


def search_start(file: str = MANIFEST) -> Callable[..., list[str]]:
    """A file of the weights that a search starts from."""

    def of(wildcards) -> list[str]:
        own = CONFIG.data.classification.source not in ("none", "checkpoint")
        if own and wildcards.searched != "hit_detector":
            return [f"{RUN}/{wildcards.searched}/supernet/{file}"]
        return pretrained("search_supernet", file)

    return of


def of_search(kind: type[Section]) -> dict[str, object]:
    """The keys of the section `search` that one of its parts has."""
    return CONFIG.search.model_dump(mode="json", include=set(kind.model_fields))


def derivation_settings() -> str:
    """The settings of the derivation: what the network may cost, if that is limited."""
    if CONFIG.search.max_gmacs is None:
        return "{}"
    return settings(
        constants={
            "budget": {
                "max_gmacs": CONFIG.search.max_gmacs,
                "proposals": CONFIG.supernet.proposals,
            }
        }
    )


def backbone_start(file: str = MANIFEST) -> Callable[..., list[str]]:
    """A file of the pretrained backbone that a network starts from; none for some."""

    def of(wildcards) -> list[str]:
        kind, _, name = wildcards.network.partition("/")
        if kind == "ablations" and name.startswith("replacement/"):
            return []
        own = backbone_of(wildcards.network)
        if own == "hit_detector":
            return pretrained("backbone", file)
        if own in CONFIG.pretrained:
            return [f"{RUN}/data/weights/{own}/{file}"]
        if CONFIG.data.classification.source in ("none", "checkpoint"):
            # given weights are those of the searched backbone, and fit no other
            return []
        return [f"{RUN}/{own}/pretraining/{file}"]

    return of


def backbone_of(network: str) -> str:
    """The network whose backbone a network has: its own, or another's where it is of several's parts."""
    if network == "ablations/searched_backbone":
        return "hit_detector"
    if network.startswith("ablations/mixed/"):
        return folder_of(CONFIG.ablations.sources(Path(network).name)["backbone"])
    if network in ("ablations/searched_neck", "ablations/searched_head"):
        return f"baselines/{CONFIG.ablations.baseline}"
    return network


def network_pretraining(wildcards) -> str:
    """The settings of a network's pretraining: those of the searched backbone, shorter of a finalist."""
    values = {}
    if wildcards.network.startswith(FINALISTS):
        if (epochs := CONFIG.search.finalists.pretraining_epochs) is not None:
            values["pretraining.epochs"] = epochs
    return settings("normalization", "pretraining", changes=values)


def finalist_settings(wildcards) -> str:
    """What a finalist may cost, and which one it is."""
    return settings(
        max_gmacs="search.max_gmacs",
        proposals="supernet.proposals",
        constants={"number": int(wildcards.draw)},
    )


def finalists() -> dict[str, str]:
    """The trained finalists."""
    numbers = range(CONFIG.search.finalists.networks)
    return grouped(
        "finalists", {str(k): f"{RUN}/{FINALISTS}{k}/detector/{MANIFEST}" for k in numbers}
    )


def network_training(wildcards) -> str:
    """The settings of a network's training: those of the searched detector, shorter of some."""
    values, constants = {}, freezing(backbone_of(wildcards.network))
    if wildcards.network.startswith(FINALISTS):
        trials = CONFIG.search.finalists
        if trials.schedule == "beginning":
            constants["until"] = trials.epochs
        else:
            values["training.epochs"] = trials.epochs
        # a short training is judged by its losses, so it says them as often as the search does
        values["training.log_interval"] = CONFIG.search.log_interval
    if wildcards.network.startswith("ablations/replacement/"):
        values["training.epochs"] = CONFIG.ablations.replacement.epochs
    return settings(*DETECTOR, "training", changes=values, constants=constants)


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
    return CONFIG.run.seed + int(wildcards.network.removeprefix(AGAIN).partition("/")[0])
