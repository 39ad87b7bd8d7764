"""Measured operations, for a search that counts milliseconds: included where `search.cost` is latency."""


rule measure_operations:
    """Time each operation of a search's sub search spaces wherever it can stand."""
    input:
        unpack(spaces),
    output:
        times=RUN / "{searched}/operation_times/operation_times.json",
        manifest=RUN / "{searched}/operation_times/manifest.json",
    log:
        LOGS / "{searched}/measure_operations.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(120, gpus=1),
    params:
        **stage(
            "measure_operations",
            RUN / "{searched}/operation_times",
            settings("supernet", runs_network=True, latency="evaluation.latency"),
        ),
    message:
        "Measuring the operations of {wildcards.searched}"
    shell:
        STAGE
