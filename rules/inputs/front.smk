"""What the rules of front.smk compute: the settings of its stages."""

from pipeline.driver.front import bred_inputs, breeding_settings, predictor_input, stock_inputs

FRONT = LAYOUT.front
BRED = FRONT / "generation_{generation}"


def front_settings(wildcards=None, **more) -> str:
    """The settings of a stage that judges or times subnets, and what only one of them uses."""
    return settings(
        *DETECTOR,
        recalibration="teacher_pool.recalibration",
        proposals="supernet.proposals",
        constants={"evaluating": EVALUATING, **more},
    )


def page_settings() -> str:
    """What the page draws of detections, and how they are computed."""
    return settings(
        example_images="report.example_images",
        score_threshold="report.score_threshold",
        constants={"evaluating": EVALUATING},
    )


def shard_settings(wildcards) -> str:
    """Those of a share of a generation's evaluations."""
    config = CONFIG.front
    return front_settings(
        val_images=config.val_images, shard=int(wildcards.candidate), shards=config.shards
    )


LATENCY = CONFIG.evaluation.latency and CONFIG.evaluation.latency.model_dump(mode="json")
