"""The zoo: the papers' networks as architecture files, and what they cost."""


rule published_numbers:
    """Compare the papers' parameters and FLOPs with ours, for the networks of the zoo."""
    output:
        table=report(
            RUN / "tables/published_numbers.csv",
            caption="captions/published_numbers.rst",
            category="Published numbers",
        ),
        manifest=RUN / "tables/manifest.json",
    log:
        LOGS / "published_numbers.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage("published_numbers", RUN / "tables"),
    message:
        "Counting the networks of the zoo"
    shell:
        STAGE
