"""What the rules and the process that runs Snakemake need of the library; nothing here imports Snakemake."""
