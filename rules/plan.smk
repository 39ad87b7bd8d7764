"""What a run will take, before it is started."""


rule plan:
    """Print GPU-hours, memory, disk and time of every stage; it needs no dataset."""
    log:
        LOGS / "plan.log",
    localrule: True
    resources:
        **light(),
    params:
        config=verbatim(CONFIG.model_dump_json()),
    message:
        "Reckoning what the run will take"
    shell:
        'python -m pipeline.plan --config-json "$(given {params.config:q} {log:q}.settings)"'
        " 2>&1 | tee {log:q}"
