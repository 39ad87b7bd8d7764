"""Sub search spaces that the config states: included in place of a screening."""


ruleorder: state_space > screen


rule state_space:
    """Publish a stated sub search space as a screening does."""
    output:
        space=HIT / "screening/{component}/sub_search_space.json",
        manifest=HIT / "screening/{component}/manifest.json",
    log:
        LOGS / "hit_detector/state_space_{component}.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage(
            "state_space",
            HIT / "screening/{component}",
            lambda wildcards: settings(
                space=f"screening.spaces.{wildcards.component}",
                constants={"component": wildcards.component},
            ),
        ),
    message:
        "Stating the {wildcards.component}'s sub search space"
    shell:
        STAGE
