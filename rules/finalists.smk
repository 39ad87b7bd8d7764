"""Finalists of the search, each trained for a short time: included where `search.finalists.networks` is above 1."""


ruleorder: choose_finalist > derive


rule draw_finalist:
    """A network by the search's probabilities; the first is the most probable one."""
    input:
        search=HIT / "search/manifest.json",
    output:
        architecture=HIT / "finalists/{draw}/architecture.json",
        manifest=HIT / "finalists/{draw}/manifest.json",
    log:
        LOGS / "hit_detector/finalists/{draw}/draw_finalist.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage("draw_finalist", HIT / "finalists/{draw}", finalist_settings),
    message:
        "Drawing finalist {wildcards.draw}"
    shell:
        STAGE


rule choose_finalist:
    """Take the best finalist as the searched architecture."""
    input:
        **finalists(),
        search=HIT / "search/manifest.json",
    output:
        architecture=HIT / "architecture.json",
        manifest=HIT / "manifest.json",
    log:
        LOGS / "hit_detector/choose_finalist.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage("choose_finalist", HIT, settings(chosen_by="search.finalists.chosen_by")),
    message:
        "Choosing among the finalists"
    shell:
        STAGE
