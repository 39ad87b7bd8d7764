"""Joint-DetNAS: the base, subnets of the pool, and networks trained with its teacher or alone (Tables 1 and 3).

Each lies in `results/<run>/joint_detnas/<name>/detector/`; evaluation.smk evaluates it.
"""


wildcard_constraints:
    # the user's own base is not trained but converted
    trained=("base|" if CONFIG.base_detector.source == "zoo" else "")
    + "alone/[0-9]+|with_(teacher|imitation)|standard/[A-Za-z0-9_]+|bases/[A-Za-z0-9_]+/base",
    number="[0-9]+",


rule train_student:
    """Train a network at several resolutions, with the pool's largest net as teacher or alone."""
    input:
        unpack(student_inputs),
        data=DETECTION,
    output:
        weights=JOINT / "{trained}/detector/weights.safetensors",
        manifest=JOINT / "{trained}/detector/manifest.json",
    log:
        LOGS / "joint_detnas/{trained}/train.log",
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **stage("train_student", JOINT / "{trained}/detector", student_settings),
    message:
        "Training {wildcards.trained}"
    shell:
        STAGE


rule sample_subnet:
    """Take a subnet from the pool without training it (Table 1)."""
    input:
        data=DETECTION,
        pool=LAST_PHASE,
    output:
        weights=JOINT / "sampled/{number}/detector/weights.safetensors",
        manifest=JOINT / "sampled/{number}/detector/manifest.json",
    log:
        LOGS / "joint_detnas/sampled/{number}/sample.log",
    threads: cpus_of(1)
    resources:
        **heavy(60, gpus=1),
    params:
        **stage(
            "sample_subnet",
            JOINT / "sampled/{number}/detector",
            lambda wildcards: settings(
                *DETECTOR,
                recalibration="teacher_pool.recalibration",
                constants={"number": int(wildcards.number)},
            ),
        ),
    message:
        "Taking subnet {wildcards.number} from the teacher pool"
    shell:
        STAGE


if CONFIG.base_detector.source == "mmdet":

    rule convert_base:
        """Check and convert the user's mmdet detector, the base of the search (section 4.2)."""
        input:
            list(filter(nameable, given_detector())),
            data=DETECTION,
        output:
            weights=BASE / "weights.safetensors",
            config=BASE / "config.py",
            manifest=BASE / "manifest.json",
        log:
            LOGS / "joint_detnas/convert_base.log",
        priority: 1  # before the teacher pool trains: a detector that does not fit is told at once
        localrule: True
        resources:
            **light(),
        params:
            **stage(
                "convert_base",
                BASE,
                settings(*DETECTOR, base="base_detector.mmdet"),
                watched=given_detector,
            ),
        message:
            "Converting the base detector"
        shell:
            STAGE


rule standard_baselines:
    """Every baseline of the config in Joint-DetNAS's standard training ("2x+ms"): alone, at several resolutions."""
    input:
        [evaluation(f"joint_detnas/standard/{name}") for name in CONFIG.named_baselines],
    localrule: True
