"""The report: one page over everything the run made."""


rule draw_report:
    """Draw the HTML page, and its tables and figures as files."""
    input:
        **joint_report(),
        **random_report(),
        **front_report(),
        **seeds_report(),
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


rule report:
    """The HTML page of the run."""
    input:
        rules.draw_report.output.page,
    localrule: True
