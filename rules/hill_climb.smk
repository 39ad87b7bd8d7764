"""Joint-DetNAS: hill climbing, generation after generation, and the student that comes out.

Wildcard `search` is the search itself (`hill_climb`), or another that it is compared with. Of that and of the
random one the best student is `taken`.
"""


wildcard_constraints:
    search="|".join(SEARCHES),
    generation="[0-9]+",
    candidate="[0-9]+",
    role="candidate|control",
    taken="|".join(TAKEN),


rule propose:
    """Propose a generation's candidates (section 3.1.4, Algorithm 1)."""
    input:
        base=own_base("manifest.json"),
        pool=LAST_PHASE,
        ranking=former("ranking/manifest.json"),
        budget=budget,
    output:
        proposals=GENERATION / "proposals/proposals.json",
        manifest=GENERATION / "proposals/manifest.json",
    log:
        LOGS / "joint_detnas/{search}/propose_{generation}.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage("propose", GENERATION / "proposals", proposing_settings),
    message:
        "Proposing the candidates of generation {wildcards.generation} of {wildcards.search}"
    shell:
        STAGE


rule evaluate_candidate:
    """Train a student–teacher pair a few epochs, and score it; or, as its control, its parent."""
    input:
        own_base("weights.safetensors"),
        former("ranking/parents.safetensors"),
        **COUNTED,
        data=DETECTION,
        base=own_base("manifest.json"),
        pool=LAST_PHASE,
        proposed=GENERATION / "proposals/manifest.json",
        ranking=former("ranking/manifest.json"),
    output:
        weights=CANDIDATE / "weights.safetensors",
        manifest=CANDIDATE / "manifest.json",
    log:
        LOGS / "joint_detnas/{search}/{role}_{generation}_{candidate}.log",
    threads: CONFIG.hill_climb.cpus or cpus_of(CONFIG.hill_climb.gpus)
    resources:
        **heavy(gpus=CONFIG.hill_climb.gpus),
    params:
        **stage("evaluate_candidate", CANDIDATE, candidate_settings),
    message:
        "Evaluating {wildcards.role} {wildcards.candidate} of generation {wildcards.generation} of {wildcards.search}"
    shell:
        STAGE


rule rank:
    """Rank a generation's candidates among the best so far."""
    input:
        unpack(wave("manifest.json")),
        former("ranking/parents.safetensors"),
        lambda wildcards: wave("weights.safetensors")(wildcards).values(),
        former=former("ranking/manifest.json"),
    output:
        ranking=GENERATION / "ranking/ranking.json",
        parents=GENERATION / "ranking/parents.safetensors",
        manifest=GENERATION / "ranking/manifest.json",
    log:
        LOGS / "joint_detnas/{search}/rank_{generation}.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage("rank", GENERATION / "ranking", ranking_settings),
    message:
        "Ranking the candidates of generation {wildcards.generation} of {wildcards.search}"
    shell:
        STAGE


rule remove_weights:
    """Remove the weights of candidates from which no later one can descend."""
    input:
        unpack(all_so_far),
        former("removed/manifest.json"),  # each verifies files that the next one removes
        ranking=GENERATION / "ranking/manifest.json",
        former=former("ranking/manifest.json"),
    output:
        removed=GENERATION / "removed/removed.json",
        manifest=GENERATION / "removed/manifest.json",
    log:
        LOGS / "joint_detnas/{search}/remove_{generation}.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage("remove_weights", GENERATION / "removed"),
    message:
        "Removing the weights that generation {wildcards.generation} of {wildcards.search} left behind"
    shell:
        STAGE


rule trace_descent:
    """Gather all candidates of a search: the tree of descent."""
    input:
        unpack(all_candidates),
        # while they run, files vanish that this stage verifies
        lambda wildcards: removals(wildcards.search),
    output:
        descent=JOINT / "{search}/descent/descent.json",
        manifest=JOINT / "{search}/descent/manifest.json",
    log:
        LOGS / "joint_detnas/{search}/trace_descent.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage("trace_descent", JOINT / "{search}/descent"),
    message:
        "Gathering the candidates of {wildcards.search}"
    shell:
        STAGE


rule take_student:
    """Take the best student of the search, without further training."""
    input:
        last_list("parents.safetensors"),
        base=own_base("manifest.json"),
        ranking=last_list("manifest.json"),
    output:
        weights=JOINT / "{taken}/detector/weights.safetensors",
        config=JOINT / "{taken}/detector/config.py",
        manifest=JOINT / "{taken}/detector/manifest.json",
    log:
        LOGS / "joint_detnas/{taken}/take_student.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage(
            "take_student",
            JOINT / "{taken}/detector",
            settings(*DETECTOR),
        ),
    message:
        "Taking {wildcards.taken}"
    shell:
        STAGE


rule joint_detnas:
    """The Joint-DetNAS chain: the student and the base, both evaluated."""
    input:
        evaluation("joint_detnas/student"),
        evaluation("joint_detnas/base"),
        removals("hill_climb"),
    localrule: True
