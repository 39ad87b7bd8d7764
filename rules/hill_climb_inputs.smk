"""What the rules of hill_climb.smk compute: a generation's inputs and settings, from the config alone."""

from pipeline.config.hill_climb import Listing, Proposing, Scoring

JOINT = RUN / "joint_detnas"
BASE = JOINT / "base/detector"
CLIMB = JOINT / "hill_climb"
GENERATION = CLIMB / "generation_{generation}"
CANDIDATE = GENERATION / "candidate_{candidate}"
LAST_RANKING = CLIMB / f"generation_{CONFIG.hill_climb.generations - 1}/ranking"


# The user's own base is not trained but converted.
TRAINED_BASE = "base|" if CONFIG.base_detector.source == "zoo" else ""


def base_settings() -> str:
    """The settings of the base's choice: a network of the zoo, and what of the run's outer shape it takes."""
    base = CONFIG.base_detector
    baseline = {
        "zoo": base.network,
        "width": base.width,
        "head_width": base.head_width,
    }
    return settings(
        input_size="supernet.input_size",
        constants={"anchor_scale": TWO_STAGE_ANCHORS, "baseline": baseline},
    )


def former_ranking(wildcards) -> list[str]:
    """The folder of the ranking before a generation's; none for the first."""
    generation = int(wildcards.generation)
    return [f"{CLIMB}/generation_{generation - 1}/ranking"] if generation else []


def ranking_before(wildcards) -> list[str]:
    """Its manifest."""
    return [f"{folder}/manifest.json" for folder in former_ranking(wildcards)]


def parents_before(wildcards) -> list[str]:
    """The weights that a generation inherits: where they were removed they are made again."""
    return [f"{folder}/parents.safetensors" for folder in former_ranking(wildcards)]


def ranking_argument(wildcards) -> str:
    """The command-line argument that names the ranking before."""
    return " ".join(f"--ranking {path}" for path in ranking_before(wildcards))


def former_argument(wildcards) -> str:
    """The same for the stages that rank and remove."""
    return " ".join(f"--former {path}" for path in ranking_before(wildcards))


def candidates_of(generation: int) -> list[str]:
    """The folders of a generation's candidates."""
    return [
        f"{CLIMB}/generation_{generation}/candidate_{number}"
        for number in range(CONFIG.hill_climb.candidates)
    ]


def candidates_until(generation: int) -> dict[str, str]:
    """The manifests of all candidates up to and with a generation, by the names that stages give them."""
    return {
        f"generation_{earlier}.{Path(folder).name}": f"{folder}/manifest.json"
        for earlier in range(generation + 1)
        for folder in candidates_of(earlier)
    }


def wave(wildcards) -> list[str]:
    """The manifests of a generation's candidates."""
    folders = candidates_of(int(wildcards.generation))
    return [f"{folder}/manifest.json" for folder in folders]


def wave_weights(wildcards) -> list[str]:
    """Their weights: where they were removed they are made again."""
    folders = candidates_of(int(wildcards.generation))
    return [f"{folder}/weights.safetensors" for folder in folders]


def wave_arguments(wildcards) -> str:
    """The values of the argument that names a generation's candidates."""
    folders = candidates_of(int(wildcards.generation))
    return " ".join(f"{Path(folder).name}={folder}/manifest.json" for folder in folders)


def all_so_far(wildcards) -> list[str]:
    """The manifests of all candidates up to and with a generation."""
    return [*candidates_until(int(wildcards.generation)).values()]


def all_so_far_arguments(wildcards) -> str:
    """The values of the argument that names them."""
    return named(candidates_until(int(wildcards.generation)))


def climb_part(part: type) -> dict[str, object]:
    """The keys of section `hill_climb` that one of its parts has: a stage depends on no others."""
    return CONFIG.hill_climb.model_dump(mode="json", include=set(part.model_fields))


def proposing_settings(wildcards) -> str:
    """The settings of a generation's proposals."""
    generation = int(wildcards.generation)
    return settings(
        constants={"proposing": climb_part(Proposing), "generation": generation}
    )


def candidate_settings(wildcards) -> str:
    """The settings of a candidate's evaluation."""
    return settings(
        "normalization",
        "detector",
        "testing",
        training="hill_climb.training",
        recalibration="teacher_pool.recalibration",
        proposals="supernet.proposals",
        constants={
            "scoring": climb_part(Scoring),
            "generation": int(wildcards.generation),
            "candidate": int(wildcards.candidate),
        },
    )


def removed_before(wildcards) -> list[str]:
    """The removal before a generation's: each verifies files that the next one removes."""
    generation = int(wildcards.generation)
    before = f"{CLIMB}/generation_{generation - 1}/removed/manifest.json"
    return [before] if generation else []


def removals() -> list[str]:
    """What the target asks for besides the student: that superfluous weights are gone."""
    if CONFIG.hill_climb.keep_weights:
        return []
    return [
        f"{CLIMB}/generation_{generation}/removed/manifest.json"
        for generation in range(CONFIG.hill_climb.generations)
    ]
