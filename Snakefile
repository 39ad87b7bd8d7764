"""DetSearch: search object-detector architectures (Hit-Detector, Joint-DetNAS)."""

from snakemake.utils import min_version

min_version("9.0")


# from the Snakefile's place: a relative one would be looked for where Snakemake was started
configfile: f"{workflow.basedir}/config/config.yaml"


include: "rules/common.smk"
include: "rules/inputs/data.smk"
include: "rules/data.smk"
include: "rules/inputs/evaluation.smk"
include: "rules/evaluation.smk"
include: "rules/inputs/hit_detector.smk"
include: "rules/hit_detector.smk"


if CONFIG.screening.spaces:

    include: "rules/stated_spaces.smk"

elif CONFIG.screening.joint:

    include: "rules/joint_screening.smk"


if CONFIG.search.strategy != "differentiable":

    include: "rules/one_shot.smk"


if CONFIG.search.cost == "latency":

    include: "rules/operation_times.smk"


if CONFIG.search.finalists.networks > 1:

    include: "rules/finalists.smk"


include: "rules/inputs/networks.smk"
include: "rules/networks.smk"
include: "rules/inputs/teacher_pool.smk"
include: "rules/teacher_pool.smk"
include: "rules/inputs/students.smk"
include: "rules/students.smk"
include: "rules/inputs/hill_climb.smk"
include: "rules/hill_climb.smk"
include: "rules/inputs/joint_analyses.smk"
include: "rules/joint_analyses.smk"
include: "rules/inputs/front.smk"
include: "rules/front.smk"
include: "rules/drawings.smk"
include: "rules/inputs/report.smk"
include: "rules/report.smk"
include: "rules/zoo.smk"
include: "rules/plan.smk"
include: "rules/driver.smk"
include: "rules/adoption.smk"


complete_rules()


rule all:
    """What `run.methods` says: the detectors of one method or of both, and the report; or the front and its page."""
    default_target: True
    input:
        rules.front.input if CONFIG.run.methods == ("front",) else rules.draw_report.output.page,
        rules.joint_detnas.input if "joint_detnas" in CONFIG.run.methods else [],
    localrule: True
