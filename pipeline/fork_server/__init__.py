"""One process that has the libraries imported, and forks for the stages of a run on this machine.

To import torch and mmdet takes a core five to nine seconds, which every stage of a run would spend, and a
short one spends for the most part. `server` imports them once; `client` has a stage run in a fork of it.
"""
