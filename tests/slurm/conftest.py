"""The local SLURM cluster of these tests; where SLURM is not installed they are skipped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from local_cluster import LocalCluster, missing_programs


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """Three nodes with two GPUs each."""
    if missing := missing_programs():
        pytest.skip(
            f"SLURM is not installed ({', '.join(missing)} missing):"
            " apt-get install slurm-wlm munge"
        )
    with LocalCluster() as started:
        yield started
