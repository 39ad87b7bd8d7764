"""Metrics and manifests of detectors that nobody trained."""

from pipeline.artifacts.manifest import Manifest
from pipeline.report.inputs import Metrics, Speed
from pipeline.report.joint_tables import Evaluated


def metrics(ap: float | None, macs: int = 4000, backbone_macs: int = 1000) -> Metrics:
    part = {"params": 100, "macs": 1000, "paper_flops": 1100}
    accuracy = dict.fromkeys(
        ("AP50", "AP75", "APS", "APM", "APL", "AR1", "AR10", "AR100", "ARS", "ARM", "ARL"), 0.5
    )
    return Metrics.model_validate(
        {
            "AP": ap,
            **accuracy,
            "AP_per_class": {},
            "params": 400,
            "macs": macs,
            "components": dict.fromkeys(("neck", "rpn", "head"), part)
            | {"backbone": part | {"macs": backbone_macs}},
            "input_size": [64, 96],
            "proposals": 10,
            "images": 5,
        }
    )


def evaluated(ap: float | None, macs: int, seconds: float = 0.5) -> Evaluated:
    speed = Speed(seconds_per_image=seconds, device="cpu", threads=2, images=3)
    return Evaluated(metrics(ap, macs, macs // 2), speed)


def manifest(seconds: float, gpu_hours: float = 0.0) -> Manifest:
    return Manifest(
        stage="made_up",
        config={},
        code=None,
        inputs={},
        seed=0,
        files={},
        packages={},
        device="cpu",
        job=None,
        wall_seconds=seconds,
        gpu_hours=gpu_hours,
        created="2026-01-31T12:00:00+00:00",
    )
