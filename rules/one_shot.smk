"""Searches over the paths of one supernet, in place of the differentiable one: included where the config asks for it."""


ruleorder: search_paths > search


rule train_one_shot:
    """Train the search supernet's weights with uniformly drawn candidates."""
    input:
        unpack(spaces),
        search_start("weights.safetensors"),
        data=DETECTION,
        supernet=search_start(),
    output:
        weights=RUN / "{searched}/one_shot/weights.safetensors",
        manifest=RUN / "{searched}/one_shot/manifest.json",
    log:
        LOGS / "{searched}/train_one_shot.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage(
            "train_one_shot",
            RUN / "{searched}/one_shot",
            settings(
                "supernet",
                "normalization",
                "detector",
                constants={"training": of_search(SupernetTraining)},
            ),
        ),
    message:
        "Training the one-shot supernet of {wildcards.searched}"
    shell:
        STAGE


rule search_paths:
    """Search the supernet's paths by their one-shot scores."""
    input:
        data=DETECTION,
        weights=RUN / "{searched}/one_shot/weights.safetensors",
        supernet=RUN / "{searched}/one_shot/manifest.json",
    output:
        scores=RUN / "{searched}/search/scores.json",
        weights=RUN / "{searched}/search/weights.safetensors",
        manifest=RUN / "{searched}/search/manifest.json",
    log:
        LOGS / "{searched}/search.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage(
            "search_paths",
            RUN / "{searched}/search",
            settings(
                *DETECTOR,
                proposals="supernet.proposals",
                batch_size="search.batch_size",
                log_interval="search.log_interval",
                constants={"search": of_search(PathSearchConfig)},
            ),
        ),
    message:
        "Searching {wildcards.searched} by scores of paths"
    shell:
        STAGE
