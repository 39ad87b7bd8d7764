"""The papers' tables and figures as targets, `snakemake hit_table4` and so on: docs/methods/ablations.md, docs/methods/analyses.md.

Each trains only what is not there yet. A new one is a row in `pipeline/driver/drawings.py`, and a
function in `pipeline/drawings/`.
"""

from pipeline.driver.drawings import DRAWINGS, drawing_inputs, drawing_settings, kind_of, paper_of


wildcard_constraints:
    kind="tables|figures",
    drawing="|".join(DRAWINGS),


rule draw:
    """Draw a table or figure of a paper."""
    input:
        unpack(lambda wildcards: drawing_inputs(wildcards.drawing, LAYOUT)),
    output:
        table=report(
            RUN / "{kind}/{drawing}/{drawing}.csv",
            caption="captions/drawing.rst",
            category="{kind}",
            labels={"name": "{drawing}", "as": "table"},
        ),
        figure=report(
            RUN / "{kind}/{drawing}/{drawing}.svg",
            caption="captions/drawing.rst",
            category="{kind}",
            labels={"name": "{drawing}", "as": "figure"},
        ),
        manifest=RUN / "{kind}/{drawing}/manifest.json",
    log:
        LOGS / "{kind}/{drawing}.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage(
            "draw",
            RUN / "{kind}/{drawing}",
            lambda wildcards: settings(constants=drawing_settings(wildcards.drawing, CONFIG)),
            uses=lambda wildcards: f"pipeline.drawings.{paper_of(wildcards.drawing)}",
        ),
        caption=lambda wildcards: DRAWINGS[wildcards.drawing].caption,
    message:
        "Drawing {wildcards.drawing}"
    shell:
        STAGE


for target in DRAWINGS:

    rule:
        """A table or figure of a paper."""
        name:
            target
        input:
            RUN / kind_of(target) / target / "manifest.json",
        localrule: True
