"""What the rules of joint_analyses.smk compute: which detectors are trained further, and how."""

from pipeline.driver.bases import base_of, chain_of
from pipeline.driver.layout import PIPELINES


def refined_inputs(wildcards) -> dict[str, str]:
    """The detector that is trained further, and what its pruning or the length of its training follows."""
    refined = wildcards.refined
    student = f"{JOINT / chain_of(refined)}/student/detector/manifest.json"
    if refined.endswith("base_longer"):
        return {"detector": f"{base_of(LAYOUT, refined)}/manifest.json", "lineage": student}
    match refined.partition("/"):
        case ("pipelines", _, name):
            return {
                "detector": f"{RUN}/{PIPELINES[name]}/detector/manifest.json",
                "pool": str(LAST_PHASE),
                "target": student,
            }
        case _:
            return {"detector": f"{BASE}/manifest.json"}


def refined_settings(wildcards) -> str:
    """The settings of a further training: that of the candidates, or a pipeline's with its teacher."""
    kind, _, name = wildcards.refined.partition("/")
    recalibration = CONFIG.teacher_pool.recalibration.model_dump(mode="json")
    taught = kind == "pipelines"
    return settings(
        *DETECTOR,
        training="joint_tables.training" if taught else "hill_climb.training",
        proposals="supernet.proposals",
        constants={
            "recalibration": recalibration if taught else None,
            "percentage": float(name) if kind == "pruned" else None,
        },
    )
