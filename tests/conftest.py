"""What every test needs: importing `pipeline` first lets test modules import mmcv and mmdet."""

import pipeline  # noqa: F401
