"""A Pareto front of detectors out of one trained pool: accuracy against cost."""
