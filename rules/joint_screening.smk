"""Screening of all components at once, in place of the sequence: included where the config asks for it."""


ruleorder: take_screened > screen


rule screen_jointly:
    """Screen the sub search spaces of all components at once (section 3.2)."""
    input:
        pretrained("screening_supernet", "weights.safetensors"),
        data=DETECTION,
        supernet=pretrained("screening_supernet"),
    output:
        spaces=expand(HIT / "screening/joint/{component}.json", component=COMPONENTS),
        manifest=HIT / "screening/joint/manifest.json",
    log:
        LOGS / "hit_detector/screen_jointly.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage(
            "screen_jointly",
            HIT / "screening/joint",
            settings("supernet", "normalization", "detector", "screening"),
        ),
    message:
        "Screening backbone, neck and head at once"
    shell:
        STAGE


rule take_screened:
    """Take a component's sub search space out of the joint screening."""
    input:
        joint=HIT / "screening/joint/manifest.json",
    output:
        space=HIT / "screening/{component}/sub_search_space.json",
        manifest=HIT / "screening/{component}/manifest.json",
    log:
        LOGS / "hit_detector/take_screened_{component}.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage(
            "take_screened",
            HIT / "screening/{component}",
            lambda wildcards: settings("screening", constants={"component": wildcards.component}),
        ),
    message:
        "Taking the {wildcards.component}'s sub search space out of the joint screening"
    shell:
        STAGE
