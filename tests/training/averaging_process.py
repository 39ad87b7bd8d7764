"""What test_gradients.py starts twice: gradients of a few weights, averaged over the processes."""

import json
import sys
from pathlib import Path

import torch
from torch import nn

from pipeline.training import distributed, gradients
from pipeline.training.gradients import AveragedGradients


def main(out: Path) -> None:
    """Two backward passes; the second sends what it can while it computes."""
    distributed.join(torch.device("cpu"))
    rank = distributed.rank()
    gradients.BUCKET = 3
    names = ("both", "first", "second", "nobody", "fixed", "early")
    weights = {name: nn.Parameter(torch.arange(2.0)) for name in names}
    # its gradient has strides of its own
    weights["square"] = nn.Parameter(torch.ones(1, 2, 2, 2).to(memory_format=torch.channels_last))
    weights["fixed"].requires_grad_(False)
    means = AveragedGradients(weights.values())
    (weights["early"] * (rank + 1)).sum().backward()
    sent_before = 0
    with means.sent_while_computed():
        own = weights["second" if rank else "first"]
        loss = (weights["both"] * (rank + 1)).sum() + (own * 10).sum()
        loss = loss + (weights["square"] * torch.arange(8.0).view(1, 2, 2, 2) * (rank + 1)).sum()
        loss.backward()
        sent_before = sum(bucket.work is not None for bucket in means.buckets)
    means.finish()
    content = {
        "gradients": {n: None if p.grad is None else p.grad.tolist() for n, p in weights.items()},
        "sent while computed": sent_before,
        "buckets": len(means.buckets),
        "strides": weights["square"].grad.stride() if weights["square"].grad is not None else None,
    }
    (out / f"{rank}.json").write_text(json.dumps(content))
    distributed.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
