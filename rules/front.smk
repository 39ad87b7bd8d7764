"""`snakemake front`: a Pareto front of the pool's subnets by NSGA-II, generation after generation (docs/howto/front.md)."""


rule breed_front:
    """Put a generation's evaluations together and breed the next one."""
    input:
        unpack(lambda wildcards: bred_inputs(LAYOUT, int(wildcards.generation))),
        pool=LAST_PHASE,
    output:
        bred=BRED / "generation.json",
        manifest=BRED / "manifest.json",
    log:
        LOGS / "front/breed_{generation}.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage(
            "breed_front",
            BRED,
            lambda wildcards: settings(
                constants=breeding_settings(CONFIG, int(wildcards.generation))
            ),
        ),
    message:
        "Breeding generation {wildcards.generation} of the front"
    shell:
        STAGE


rule measure_subnets:
    """Time subnets of the pool, and fit what predicts the latency of the others."""
    input:
        data=DETECTION,
        pool=LAST_PHASE,
    output:
        predictor=FRONT / "predictor/predictor.json",
        manifest=FRONT / "predictor/manifest.json",
    log:
        LOGS / "front/measure_subnets.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(120, gpus=1),
    params:
        **stage(
            "measure_subnets",
            FRONT / "predictor",
            front_settings(latency=LATENCY, measured=CONFIG.front.measured),
        ),
    message:
        "Measuring the latency of subnets"
    shell:
        STAGE


rule evaluate_subnets:
    """Evaluate a share of a generation's subnets."""
    input:
        **predictor_input(LAYOUT),
        data=DETECTION,
        pool=LAST_PHASE,
        bred=BRED / "manifest.json",
    output:
        evaluations=BRED / "shard_{candidate}/evaluations.json",
        manifest=BRED / "shard_{candidate}/manifest.json",
    log:
        LOGS / "front/evaluate_{generation}_{candidate}.log",
    threads: CONFIG.front.cpus or cpus_of(1)
    resources:
        **heavy(gpus=1),
    params:
        **stage("evaluate_subnets", BRED / "shard_{candidate}", shard_settings),
    message:
        "Evaluating share {wildcards.candidate} of generation {wildcards.generation} of the front"
    shell:
        STAGE


rule take_front:
    """Judge and time the front with the detectors beside it."""
    input:
        **predictor_input(LAYOUT),
        **stock_inputs(LAYOUT),
        data=DETECTION,
        pool=LAST_PHASE,
        bred=FRONT / f"generation_{CONFIG.front.generations}/manifest.json",
    output:
        front=FRONT / "front.json",
        table=FRONT / "front.csv",
        manifest=FRONT / "manifest.json",
    log:
        LOGS / "front/take_front.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(240, gpus=1),
    params:
        **stage(
            "take_front",
            FRONT,
            front_settings(
                latency=LATENCY, licences=CONFIG.front.licences.model_dump(mode="json")
            ),
        ),
    message:
        "Judging and timing the front"
    shell:
        STAGE


rule draw_front:
    """Draw the front's page, and its tables and figures as files."""
    input:
        **stock_inputs(LAYOUT),
        data=DETECTION,
        pool=LAST_PHASE,
        front=FRONT / "manifest.json",
    output:
        page=FRONT / "page/front.html",
        manifest=FRONT / "page/manifest.json",
    log:
        LOGS / "front/draw_front.log",
    threads: cpus_of(1)
    resources:
        **heavy(60, gpus=1),
    params:
        **stage("draw_front", FRONT / "page", page_settings()),
    message:
        "Drawing the front's page"
    shell:
        STAGE


rule front:
    """The front of the trained pool with the detectors beside it, and its page."""
    input:
        rules.draw_front.output.page,
    localrule: True
