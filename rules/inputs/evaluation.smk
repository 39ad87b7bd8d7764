"""What the rules of evaluation.smk compute: the split that detectors are only used on."""

from pipeline.config.evaluation import Evaluating

# The section `evaluation` without that on latencies, on which no evaluation depends.
EVALUATING = CONFIG.evaluation.model_dump(mode="json", include=set(Evaluating.model_fields))


def predicted_split():
    """The split without annotations that the config gives."""
    coco = CONFIG.data.detection.coco
    used = CONFIG.data.detection.source == "coco" and coco.test is not None
    if not used or not coco.test.predict_only:
        raise WorkflowError(
            "server_results detects on a split without annotations: give it as"
            " data.detection.coco.test, with predict_only: true"
        )
    return coco.test


def predicted_files(wildcards) -> list[str]:
    """Its list of images; where it is missing the stage tells."""
    path = predicted_split().annotations
    return [path] if Path(path).exists() and nameable(path) else []


def server_settings(wildcards) -> str:
    """The settings of a prediction; the detector is called after the run and its own folder."""
    constants = {
        "split": predicted_split().model_dump(mode="json", exclude={"predict_only"}),
        "verify_images": CONFIG.data.detection.coco.verify_images,
        "evaluation": EVALUATING,
        "name": f"{CONFIG.run.name}-{Path(wildcards.detector).name}",
    }
    return settings(*DETECTOR, constants=constants)


def server_manifests(wildcards) -> list[str]:
    """Those of the searched detector and, where Joint-DetNAS is run, of its student."""
    predicted_split()
    joint = ["joint_detnas/student"] if "joint_detnas" in CONFIG.run.methods else []
    return [f"{RUN}/{name}/server/manifest.json" for name in ("hit_detector", *joint)]
