"""What the rules of hill_climb.smk compute: a generation's inputs and settings, from the config alone."""

from pipeline.config.hill_climb import UNRANKED, Listing, Proposing, Scoring, Variant
from pipeline.driver.bases import base_of, further_chains
from pipeline.driver.front import predictor_input

# In what a search differs from the config's `hill_climb`, and from how that proceeds.
SAME_STUDENT = {"evolve_student": 0.0, "pruning_generations": 0}
SEARCHES = {
    "hill_climb": ({}, Variant()),
    "random": ({"pruning_generations": 0}, UNRANKED),
    "unranked": ({}, UNRANKED),
    "fixed_teacher": ({"evolve_student": 1.0}, Variant()),
    "dynamic_teachers": (SAME_STUDENT, Variant(teachers="draw")),
    "one_teacher": (SAME_STUDENT, Variant(teachers="keep")),
}
# The students that are taken, and from which search.
TAKEN = {"student": "hill_climb"}
TAKEN |= {
    f"{_name}/student": _name for _name, (_, _variant) in SEARCHES.items() if not _variant.ranked
}
for _chain in further_chains(CONFIG).values():
    SEARCHES[f"{_chain}/hill_climb"] = SEARCHES["hill_climb"]
    TAKEN[f"{_chain}/student"] = f"{_chain}/hill_climb"
# what tells a network's latency, where the score counts that
COUNTED = predictor_input(LAYOUT) if CONFIG.hill_climb.cost == "latency" else {}
GENERATION = JOINT / "{search}/generation_{generation}"
CANDIDATE = GENERATION / "{role}_{candidate}"


def former(part: str) -> Callable[..., list[str]]:
    """A file of the generation before, by its path in that generation's folder; none for the first."""

    def of(wildcards) -> list[str]:
        generation = int(wildcards.generation)
        if not generation:
            return []
        return [f"{JOINT}/{wildcards.search}/generation_{generation - 1}/{part}"]

    return of


def own_base(file: str) -> Callable[..., str]:
    """A file of the base that a search begins with, or that a student descends from."""

    def of(wildcards) -> str:
        return f"{base_of(LAYOUT, wildcards.get('search') or wildcards.taken)}/{file}"

    return of


def last_list(file: str) -> Callable[..., str]:
    """A file of the last ranking of the search whose student is taken."""

    def of(wildcards) -> str:
        last = CONFIG.hill_climb.generations - 1
        return f"{JOINT}/{TAKEN[wildcards.taken]}/generation_{last}/ranking/{file}"

    return of


def budget(wildcards) -> list[str]:
    """A search without ranking ends where the hill climbing does: both train as many candidates."""
    generation, (_, variant) = int(wildcards.generation), SEARCHES[wildcards.search]
    if variant.ranked or not generation:
        return []
    return [f"{JOINT}/hill_climb/generation_{generation - 1}/ranking/manifest.json"]


def wave(file: str) -> Callable[..., dict[str, str]]:
    """A file of each of a generation's candidates, as named inputs."""

    def of(wildcards) -> dict[str, str]:
        folder = f"{JOINT}/{wildcards.search}/generation_{wildcards.generation}"
        names = [f"candidate_{number}" for number in range(CONFIG.hill_climb.candidates)]
        return grouped("candidates", {name: f"{folder}/{name}/{file}" for name in names})

    return of


def candidates_until(search: str, generation: int, kind: str = "candidate") -> dict[str, str]:
    """The manifests of all candidates of a search up to and with a generation, as named inputs."""
    climb = JOINT / search
    names = [
        (f"generation_{earlier}", f"{kind}_{number}")
        for earlier in range(generation + 1)
        for number in range(CONFIG.hill_climb.candidates)
    ]
    manifests = {".".join(name): str(climb.joinpath(*name, MANIFEST)) for name in names}
    return grouped("candidates", manifests)


def all_so_far(wildcards) -> dict[str, str]:
    """Those up to and with the generation of the wildcards."""
    return candidates_until(wildcards.search, int(wildcards.generation))


def all_candidates(wildcards) -> dict[str, str]:
    """Those of all generations, and of the search itself their controls, where there are some."""
    last = CONFIG.hill_climb.generations - 1
    found = candidates_until(wildcards.search, last)
    if CONFIG.hill_climb.controls and wildcards.search == "hill_climb":
        found |= candidates_until(wildcards.search, last, "control")
    return found


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
    changes, variant = SEARCHES[wildcards.search]
    return settings(
        constants={
            "proposing": climb_part(Proposing) | changes,
            "generation": int(wildcards.generation),
            "variant": variant.model_dump(mode="json"),
        }
    )


def ranking_settings(wildcards) -> str:
    """The settings of a generation's list."""
    _, variant = SEARCHES[wildcards.search]
    return settings(constants={"listing": climb_part(Listing), "ranked": variant.ranked})


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
            "control": wildcards.role == "control",
        },
    )
