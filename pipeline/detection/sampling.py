"""Samples of boxes that do not depend on which images are trained on together."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import nn

from pipeline.training.distributed import size
from pipeline.training.seeding import derive_seed


def sample_by_image(model: nn.Module, *, processes: int | None = None) -> None:
    """Where several processes train, let a detector draw each image's boxes from a generator of its own.

    It is seeded by the step's seed and the image's true boxes. So an image gets the same sample in
    whichever process it is, and every process draws the same paths through a supernet.

    Args:
        model: an mmdet detector.
        processes: how many train; by default as many as there are. One process draws one image after
            the other from the step's generator.
    """
    if (size() if processes is None else processes) == 1:
        return
    from mmdet.models.task_modules.samplers import RandomSampler

    for module in model.modules():
        for name in ("sampler", "bbox_sampler"):
            samplers = getattr(module, name, None)
            # a cascade has one for each stage
            for sampler in samplers if isinstance(samplers, list) else [samplers]:
                if type(sampler) is RandomSampler:
                    sampler.__class__ = _by_image(RandomSampler)


def _by_image(base: type[Any]) -> type[Any]:
    """A subclass of mmdet's random sampler; mmdet is imported only where it is needed."""

    class ByImage(base):
        generator: torch.Generator

        def sample(
            self, assign_result: Any, pred_instances: Any, gt_instances: Any, **further: Any
        ) -> Any:
            boxes = gt_instances.bboxes.detach().cpu().contiguous().numpy().tobytes()
            seed = derive_seed(torch.initial_seed(), self.num, hashlib.sha256(boxes).hexdigest())
            self.generator = torch.Generator().manual_seed(seed)
            return super().sample(assign_result, pred_instances, gt_instances, **further)

        def random_choice(self, gallery: Any, num: int) -> Any:
            order = torch.randperm(len(gallery), generator=self.generator)[:num]
            return gallery[order.to(gallery.device)]

    return ByImage
