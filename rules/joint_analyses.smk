"""What Joint-DetNAS's tables train besides the search: docs/methods/analyses.md."""


wildcard_constraints:
    refined="(bases/[A-Za-z0-9_]+/)?base_longer|pruned/[0-9.]+|pipelines/("
    + "|".join(PIPELINES)
    + ")",


rule search_pool:
    """The NAS of a pipeline: the subnet with the highest H of some that are drawn (Table 5)."""
    input:
        **COUNTED,
        data=DETECTION,
        base=BASE / "manifest.json",
        pool=LAST_PHASE,
    output:
        weights=JOINT / "pipelines/nas/detector/weights.safetensors",
        manifest=JOINT / "pipelines/nas/detector/manifest.json",
    log:
        LOGS / "joint_detnas/pipelines/search_pool.log",
    threads: cpus_of(1)
    resources:
        **heavy(gpus=1),
    params:
        **stage(
            "search_pool",
            JOINT / "pipelines/nas/detector",
            settings(
                *DETECTOR,
                recalibration="teacher_pool.recalibration",
                proposals="supernet.proposals",
                draws="joint_tables.draws",
                constants={"scoring": climb_part(Scoring)},
            ),
        ),
    message:
        "Searching the teacher pool"
    shell:
        STAGE


rule refine_detector:
    """Train a detector further, pruned before or not (Tables 2, 4 and 5)."""
    input:
        unpack(refined_inputs),
        data=DETECTION,
    output:
        weights=JOINT / "{refined}/detector/weights.safetensors",
        config=JOINT / "{refined}/detector/config.py",
        manifest=JOINT / "{refined}/detector/manifest.json",
    log:
        LOGS / "joint_detnas/{refined}/refine.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage("refine_detector", JOINT / "{refined}/detector", refined_settings),
    message:
        "Training {wildcards.refined}"
    shell:
        STAGE


rule upgrade_detector:
    """The student with a cascade of heads, deformable convolutions, and further epochs (section 4.2.3)."""
    input:
        JOINT / "student/detector/weights.safetensors",
        data=DETECTION,
        detector=JOINT / "student/detector/manifest.json",
        pool=LAST_PHASE,
    output:
        weights=JOINT / "upgrade/detector/weights.safetensors",
        config=JOINT / "upgrade/detector/config.py",
        manifest=JOINT / "upgrade/detector/manifest.json",
    log:
        LOGS / "joint_detnas/upgrade/train.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage(
            "upgrade_detector",
            JOINT / "upgrade/detector",
            settings(
                *DETECTOR,
                "upgrade",
                recalibration="teacher_pool.recalibration",
            ),
        ),
    message:
        "Upgrading the student"
    shell:
        STAGE


rule upgrade:
    """The upgraded student, evaluated."""
    input:
        evaluation("joint_detnas/upgrade"),
    localrule: True
