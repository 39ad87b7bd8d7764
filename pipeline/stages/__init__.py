"""One script for each stage: `python -m pipeline.stages.<stage>`, thin glue between rules and methods."""

import atexit
import gc
import sys

# Torch, mmengine and mmdet make a million objects that live as long as the process. Searching them for
# garbage, time and again while they are made and once more at the end, took 3.5 of 10 seconds of a stage
# that computes nothing. `stage_main` starts the collection. Not where a program merely imports a stage:
# Python gives `-m` as the program's name while it looks for a module that it was told to run.
if sys.argv[:1] == ["-m"]:
    gc.disable()
    atexit.register(gc.freeze)
