"""What the report shows."""


def joint_report() -> dict[str, str]:
    """What the report shows of Joint-DetNAS, by the names of its arguments."""
    if "joint_detnas" not in CONFIG.run.methods:
        return {}
    evaluations = {
        name: evaluation(f"joint_detnas/{name}") for name in ("student", "base", "base_longer")
    }
    drawn = {
        **evaluations,
        "descent": f"{JOINT}/hill_climb/descent/manifest.json",
        "allocation": f"{RUN}/figures/joint_figure7/manifest.json",
    }
    if CONFIG.report.joint_random:
        drawn["random_descent"] = f"{JOINT}/random/descent/manifest.json"
        drawn["random_student"] = evaluation("joint_detnas/random/student")
    return drawn


def random_report() -> dict[str, str]:
    """The comparison with random networks that the report begins with, where it is wanted."""
    if not CONFIG.report.random:
        return {}
    return {
        "random": f"{RUN}/tables/hit_random/manifest.json",
        "random_network": evaluation("ablations/random/0"),
        "plain": evaluation("ablations/plain"),
    }


def report_settings() -> str:
    """The report's own, and where networks are compared on the same images, on which."""
    return settings(
        "report", **({"examples": "ablations.examples"} if CONFIG.report.random else {})
    )


def front_report() -> dict[str, str]:
    """The front of the teacher pool, where the page shows it."""
    return {"front": f"{RUN}/front/manifest.json"} if CONFIG.report.front else {}


COMPARED = compared_detectors(LAYOUT)


def timed_detectors() -> dict[str, str]:
    """The detectors of the report's first table."""
    return grouped("detectors", COMPARED)


def latency_report() -> dict[str, str]:
    """Their times in turns, where there is something to compare and the config says on what it is timed."""
    wanted = LATENCY and (len(COMPARED) > 1 or CONFIG.report.front)
    return {"latency": f"{RUN}/latency/manifest.json"} if wanted else {}


def seeds_report() -> dict[str, str]:
    """The evaluations of the runs with each seed, where all are there: `python -m pipeline.seeds`."""
    return grouped("seeds", seed_evaluations(LAYOUT))
