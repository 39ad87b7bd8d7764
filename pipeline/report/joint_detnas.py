"""Section: what Joint-DetNAS made of its base detector, and how."""

from __future__ import annotations

from pipeline.config.evaluation import ReportConfig
from pipeline.console import counted
from pipeline.report.detections import detection_figures, detections_key
from pipeline.report.formats import accuracy, alike_scaled
from pipeline.report.inputs import Run
from pipeline.report.joint_controls import control_comparison
from pipeline.report.joint_inputs import STUDENT, JointRun
from pipeline.report.joint_search import candidate_table, draw_descent
from pipeline.report.joint_tables import allocation_study, upgrade_table
from pipeline.report.section import Group, Part, Section, paragraph


def joint_section(run: Run, settings: ReportConfig) -> Section:
    """Base against student, the tree of descent, computation by stage, the student's detections."""
    joint = JointRun(run)
    names = {"base": "base", "base_longer": "base, trained on", "student": "student"}
    compared, _ = upgrade_table(
        {names[name]: each for name, each in joint.detectors.items()}, "joint_upgrade"
    )
    descent = joint.descent
    gains = {gain.name: gain.value for gain in descent.gains(None)}
    best = descent.best
    over = {gain.name: gain.value for gain in descent.gains_over_controls()}
    beyond = over if descent.controls else None
    line = candidate_table(
        "joint_line",
        descent.line(best),
        gains,
        "The student's line, from the base's child on",
        beyond,
    )
    everyone = candidate_table(
        "joint_candidates", [*descent.evaluations.values()], gains, "", beyond
    )
    allocation, stages = allocation_study(*joint.allocation, "joint_allocation")
    detections = detection_figures(run, settings, STUDENT, "student_detections")
    parts = (
        paragraph("{}", _upshot(joint)),
        compared,
        paragraph(
            "{} in {}. Each inherits its parent's weights, changed by one action or "
            "taught by another teacher, and is trained for a few epochs; H weighs its AP on the validation "
            "split against its computation, at the resolution where that is best. The student is the "
            "candidate with the highest H, with no training after the search: {} since the base. "
            "From here on MACs are counted at the input size of the base, above at that of each detector.",
            counted(len(descent.evaluations), "candidate"),
            counted(descent.generations, "generation"),
            counted(best.epochs, "epoch"),
        ),
        draw_descent("joint_descent", descent),
        line,
        Group((everyone,), "fold", f"All {len(descent.evaluations)} candidates"),
        Group((stages,)),
        allocation,
        *(_against_random(joint) if settings.joint_random else ()),
        detections_key(run, settings, len(detections), "The student on the"),
        Group(detections, "gallery"),
    )
    return Section("joint_detnas", "Joint-DetNAS: the base detector upgraded", parts)


def _against_random(joint: JointRun) -> tuple[Part, ...]:
    descent, found = joint.random
    return control_comparison(
        "joint_random_search",
        {"search": joint.descent, "random": descent},
        {"search": joint.detectors["student"], "random": found},
    )


def _upshot(joint: JointRun) -> str:
    """The result in a sentence, whatever it is."""
    base, longer, student = (
        joint.detectors[name].metrics for name in ("base", "base_longer", "student")
    )
    params = alike_scaled([base.params, student.params])
    macs = alike_scaled([base.macs, student.macs])
    return (
        f"The base detector has an AP of {accuracy(base.AP)} with {params[0]} parameters and {macs[0]} "
        f"MACs; the student an AP of {accuracy(student.AP)} with {params[1]} parameters and {macs[1]} "
        "MACs. The base trained further, for as many epochs as the student and its ancestors together, has "
        f"an AP of {accuracy(longer.AP)}."
    )
