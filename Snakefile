"""DetSearch: search object-detector architectures (Hit-Detector, Joint-DetNAS)."""

from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/hit_detector.smk"


if CONFIG.screening.joint:

    include: "rules/joint_screening.smk"


include: "rules/evaluation.smk"
include: "rules/comparisons.smk"
include: "rules/networks.smk"
include: "rules/ablations.smk"
include: "rules/hill_climb_inputs.smk"
include: "rules/base_detector.smk"
include: "rules/teacher_pool.smk"
include: "rules/students.smk"
include: "rules/hill_climb.smk"
include: "rules/joint_analyses_inputs.smk"
include: "rules/joint_descent.smk"
include: "rules/joint_analyses.smk"
include: "rules/upgrade.smk"
include: "rules/report.smk"
include: "rules/zoo.smk"
include: "rules/standard.smk"
include: "rules/plan.smk"


show_resources()


localrules:
    derive,
    draw_report,
    published_numbers,
    plan,
    all,
    choose_base,
    propose,
    remove_weights,
    take_student,
    trace_descent,
    propose_fixed,
    remove_fixed,
    trace_fixed,
    hit_detector,
    joint_detnas,
    report,
    teacher_pool,
    standard_baselines,


rule all:
    """Everything: the detectors of both methods (of one, with `report.joint_detnas: false`), and the report."""
    default_target: True
    input:
        rules.draw_report.output.page,
        rules.joint_detnas.input if CONFIG.report.joint_detnas else [],


rule hit_detector:
    """The Hit-Detector chain, up to the evaluated detector."""
    input:
        rules.evaluate_hit_detector.output.metrics,


rule report:
    """The HTML page of the run."""
    input:
        rules.draw_report.output.page,


onstart:
    if jobs_of_run():
        require_datasets(CONFIG.data)
        write_jobs(RUN, jobs_of_run())


onsuccess:
    for name, path in (
        ("report", RUN / "report.html"),
        ("searched detector", RUN / "hit_detector/detector/config.py"),
        ("student", JOINT / "student/detector/config.py"),
    ):
        if path.exists():
            print(f"The {name}: {path}")
