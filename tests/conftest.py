"""What every test needs: importing `pipeline` first lets test modules import mmcv and mmdet."""

from hypothesis import settings

import pipeline  # noqa: F401

# The same examples in every run: a failure can be seen again, and a change is judged by what it changed.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")
