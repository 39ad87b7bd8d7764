"""The zoo: the papers' networks as architecture files, and what they cost."""


rule published_numbers:
    """Compare the papers' parameters and FLOPs with ours, for the networks of the zoo."""
    output:
        table=RUN / "tables/published_numbers.csv",
        manifest=RUN / "tables/manifest.json",
    log:
        LOGS / "published_numbers.log",
    benchmark:
        BENCHMARKS / "published_numbers.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("published_numbers", RUN / "tables"),
        settings=settings(),
    message:
        "Counting the networks of the zoo"
    shell:
        "python -m pipeline.stages.published_numbers"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"
