"""Screening of all components at once, in place of the sequence: included where the config asks for it."""


ruleorder: take_screened > screen


rule screen_jointly:
    """Screen the sub search spaces of all components at once (section 3.2)."""
    input:
        data=rules.prepare_detection_data.output.manifest,
        supernet=pretrained("screening_supernet"),
        weights=pretrained("screening_supernet", "weights.safetensors"),
    output:
        spaces=expand(HIT / "screening/joint/{component}.json", component=COMPONENTS),
        manifest=HIT / "screening/joint/manifest.json",
    log:
        LOGS / "screen_jointly.log",
    benchmark:
        BENCHMARKS / "screen_jointly.tsv"
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **tracked("screen_jointly", HIT / "screening/joint"),
        settings=settings("supernet", "normalization", "detector", "screening"),
        supernet=pretrained_argument("supernet", "screening_supernet"),
    message:
        "Screening backbone, neck and head at once"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.screen_jointly --data {input.data} {params.supernet}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule take_screened:
    """Take a component's sub search space out of the joint screening."""
    input:
        joint=rules.screen_jointly.output.manifest,
    output:
        space=HIT / "screening/{component}/sub_search_space.json",
        manifest=HIT / "screening/{component}/manifest.json",
    log:
        LOGS / "take_screened_{component}.log",
    benchmark:
        BENCHMARKS / "take_screened_{component}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("take_screened", HIT / "screening/{component}"),
        settings=settings("screening"),
    message:
        "Taking the {wildcards.component}'s sub search space out of the joint screening"
    shell:
        "python -m pipeline.stages.take_screened --component {wildcards.component}"
        " --joint {input.joint}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"
