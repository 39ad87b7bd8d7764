"""The papers' tables and figures, one function each, over artifacts of a run.

A module holds those of one paper; its `DRAWINGS` lists them by the name of their target. Which artifacts
each reads is said in `pipeline/driver/drawings.py`, how a table or a curve is drawn in `pipeline/report/`.
"""
