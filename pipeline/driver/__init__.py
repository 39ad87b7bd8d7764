"""What the workflow's driver, the process that runs Snakemake, needs besides rules."""
