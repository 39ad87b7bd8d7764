"""The report: one page over everything the run made."""


rule draw_report:
    """Draw the HTML page, and its tables and figures as files."""
    input:
        **joint_report(),
        **random_report(),
        **front_report(),
        **seeds_report(),
        **latency_report(),
        **{name: HIT / f"screening/{name}/manifest.json" for name in COMPONENTS},
        data=DETECTION,
        screening_supernet=pretrained("screening_supernet"),
        supernet=pretrained("search_supernet"),
        search=HIT / "search/manifest.json",
        architecture=HIT / "manifest.json",
        pretraining=pretrained("backbone"),
        detector=HIT / "detector/manifest.json",
        evaluation=evaluation("hit_detector"),
    output:
        page=report(RUN / "report.html", caption="captions/report.rst", category="Report"),
        manifest=RUN / "manifest.json",
    log:
        LOGS / "draw_report.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage("report", RUN, report_settings()),
    message:
        "Drawing the report"
    shell:
        STAGE


rule time_detectors:
    """Time the detectors of the report's first table in one process, in turns."""
    input:
        **timed_detectors(),
        data=DETECTION,
    output:
        latencies=RUN / "latency/latencies.json",
        manifest=RUN / "latency/manifest.json",
    log:
        LOGS / "time_detectors.log",
    threads: max(2, CONFIG.run.cpus)
    resources:
        **heavy(120, gpus=1),
    params:
        **stage(
            "time_detectors",
            RUN / "latency",
            settings(*DETECTOR, constants={"latency": LATENCY}, runs_network=True),
        ),
    message:
        "Timing the detectors of the report in turns"
    shell:
        STAGE


rule report:
    """The HTML page of the run."""
    input:
        rules.draw_report.output.page,
    localrule: True
