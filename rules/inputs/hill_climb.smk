"""What the rules of hill_climb.smk compute: a generation's inputs and settings, from the config alone."""

from pipeline.config.hill_climb import Listing, Proposing, Scoring

# What a search has in place of the config's `hill_climb`: with a fixed teacher only the student evolves.
SEARCHES = {"hill_climb": {}, "fixed_teacher": {"evolve_student": 1.0}}
GENERATION = JOINT / "{search}/generation_{generation}"
CANDIDATE = GENERATION / "candidate_{candidate}"
LAST_RANKING = JOINT / f"hill_climb/generation_{CONFIG.hill_climb.generations - 1}/ranking"


def former(part: str) -> Callable[..., list[str]]:
    """A file of the generation before, by its path in that generation's folder; none for the first."""

    def of(wildcards) -> list[str]:
        generation = int(wildcards.generation)
        if not generation:
            return []
        return [f"{JOINT}/{wildcards.search}/generation_{generation - 1}/{part}"]

    return of


def wave(file: str) -> Callable[..., dict[str, str]]:
    """A file of each of a generation's candidates, as named inputs."""

    def of(wildcards) -> dict[str, str]:
        folder = f"{JOINT}/{wildcards.search}/generation_{wildcards.generation}"
        names = [f"candidate_{number}" for number in range(CONFIG.hill_climb.candidates)]
        return grouped("candidates", {name: f"{folder}/{name}/{file}" for name in names})

    return of


def candidates_until(search: str, generation: int) -> dict[str, str]:
    """The manifests of all candidates of a search up to and with a generation, as named inputs."""
    climb = JOINT / search
    names = [
        (f"generation_{earlier}", f"candidate_{number}")
        for earlier in range(generation + 1)
        for number in range(CONFIG.hill_climb.candidates)
    ]
    manifests = {".".join(name): str(climb.joinpath(*name, MANIFEST)) for name in names}
    return grouped("candidates", manifests)


def all_so_far(wildcards) -> dict[str, str]:
    """Those up to and with the generation of the wildcards."""
    return candidates_until(wildcards.search, int(wildcards.generation))


def all_candidates(wildcards) -> dict[str, str]:
    """Those of all generations."""
    return candidates_until(wildcards.search, CONFIG.hill_climb.generations - 1)


def removals(search: str) -> list[str]:
    """What a target asks for besides its result: that superfluous weights are gone."""
    if CONFIG.hill_climb.keep_weights:
        return []
    return [
        f"{JOINT}/{search}/generation_{generation}/removed/manifest.json"
        for generation in range(CONFIG.hill_climb.generations)
    ]


def climb_part(part: type) -> dict[str, object]:
    """The keys of section `hill_climb` that one of its parts has: a stage depends on no others."""
    return CONFIG.hill_climb.model_dump(mode="json", include=set(part.model_fields))


def proposing_settings(wildcards) -> str:
    """The settings of a generation's proposals."""
    proposing = climb_part(Proposing) | SEARCHES[wildcards.search]
    return settings(constants={"proposing": proposing, "generation": int(wildcards.generation)})


def candidate_settings(wildcards) -> str:
    """The settings of a candidate's evaluation."""
    return settings(
        *DETECTOR,
        training="hill_climb.training",
        recalibration="teacher_pool.recalibration",
        proposals="supernet.proposals",
        constants={
            "scoring": climb_part(Scoring),
            "generation": int(wildcards.generation),
            "candidate": int(wildcards.candidate),
        },
    )
