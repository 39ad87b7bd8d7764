"""What the rules of networks.smk compute: the settings of networks beside the searched one."""

from pipeline.driver.bases import base_network
from pipeline.zoo.architectures import is_one_stage

ABLATIONS = LAYOUT.ablations
ONE_STAGE = CONFIG.supernet.one_stage
MATCHING = {"matching": CONFIG.ablations.random.matching.model_dump(mode="json")}


def chosen_settings(wildcards) -> str:
    """A network of the zoo, and what of the run's outer shape it takes."""
    # Where the searched detector has other anchors, the teacher pool's are those of a two-stage one.
    two_stage = CONFIG.teacher_pool.space if ONE_STAGE else CONFIG.supernet
    scale = two_stage.anchor_scale
    kind, _, name = wildcards.chosen.partition("/")
    if kind == "baselines":
        baseline = CONFIG.named_baselines[name].model_dump(mode="json", exclude={"pretrained"})
        if is_one_stage(CONFIG.named_baselines[name].zoo):
            # null keeps the zoo's
            scale = CONFIG.supernet.anchor_scale if ONE_STAGE else None
    else:
        baseline = base_network(CONFIG, name)
    return settings(
        input_size="supernet.input_size",
        constants={"anchor_scale": scale, "baseline": baseline},
    )


def parts_of(wildcards) -> dict[str, Path]:
    """The detectors that a combined one takes its components from."""
    kind, _, name = wildcards.whole.partition("/")
    if kind == "combined":
        return {part: ABLATIONS / f"apart/{part}/manifest.json" for part in COMPONENTS}
    sources = CONFIG.ablations.sources(name)
    return {part: RUN / f"{folder_of(source)}/manifest.json" for part, source in sources.items()}


def folder_of(detector: str) -> str:
    """The folder of a detector that a mixed one takes a component from."""
    return detector if detector == "hit_detector" else f"baselines/{detector}"


def parts_settings(wildcards) -> str:
    """What those detectors are called."""
    kind, _, name = wildcards.whole.partition("/")
    return settings(constants={"parts": CONFIG.ablations.sources(name)} if kind == "mixed" else {})


def replacement_settings(wildcards) -> str:
    """What the stage that replaces an operation uses."""
    return settings(
        "supernet",
        replacement="ablations.replacement",
        constants={
            "component": wildcards.component,
            "operation": wildcards.operation,
            "draw": int(wildcards.draw),
        },
    )


def sampled_from(wildcards) -> dict[str, Path]:
    """The sub search spaces, and the network whose cost is met or the data whose classes it has."""
    spaces = {name: HIT / f"screening/{name}/manifest.json" for name in COMPONENTS}
    if wildcards.sampled == "random":
        return {**spaces, "searched": HIT / "manifest.json"}
    return {**spaces, "data": DETECTION}


def sampling_settings(wildcards) -> str:
    """Which architecture is drawn, and how its cost is met where it is."""
    matching = MATCHING if wildcards.sampled == "random" else {}
    return settings("supernet", constants={**matching, "number": int(wildcards.draw)})
