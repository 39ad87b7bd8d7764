"""The tables and figures of the papers as targets: `snakemake hit_table4`, and so on.

Each trains only what is not there yet; docs/ablations.md says what that is.
"""


wildcard_constraints:
    table="hit_table[1-6]|joint_table[123]",
    draw="[0-9]+",
    operation="[a-z0-9_]+",
    sparsity="[a-z_]+(\\.[0-9.e-]+)?",


rule merge_spaces:
    """One sub search space for all three components (Table 4)."""
    input:
        backbone=HIT / "screening/backbone/manifest.json",
        neck=HIT / "screening/neck/manifest.json",
        head=HIT / "screening/head/manifest.json",
    output:
        space=COMMON / "space/sub_search_space.json",
        manifest=COMMON / "space/manifest.json",
    log:
        LOGS / "ablations/one_space/merge_spaces.log",
    benchmark:
        BENCHMARKS / "ablations/one_space/merge_spaces.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("merge_spaces", COMMON / "space"),
        settings=settings(keep="screening.keep.backbone"),
    message:
        "Merging the sub search spaces"
    shell:
        "python -m pipeline.stages.merge_spaces --backbone {input.backbone}"
        " --neck {input.neck} --head {input.head}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


use rule pretrain_search_supernet as pretrain_common_supernet with:
    input:
        data=rules.prepare_classification_data.output.manifest,
        space=rules.merge_spaces.output.manifest,
    output:
        weights=COMMON / "supernet/weights.safetensors",
        manifest=COMMON / "supernet/manifest.json",
    log:
        LOGS / "ablations/one_space/pretrain_supernet.log",
    benchmark:
        BENCHMARKS / "ablations/one_space/pretrain_supernet.tsv"
    params:
        **tracked("pretrain_search_supernet", COMMON / "supernet"),
        settings=settings("supernet", "normalization", pretraining="search_pretraining"),
    message:
        "Pretraining the supernet of the common search space"


use rule search as search_common with:
    input:
        pretrained_common(),
        data=rules.prepare_detection_data.output.manifest,
        backbone=rules.merge_spaces.output.manifest,
        neck=rules.merge_spaces.output.manifest,
        head=rules.merge_spaces.output.manifest,
    output:
        scores=COMMON / "search/scores.json",
        weights=COMMON / "search/weights.safetensors",
        manifest=COMMON / "search/manifest.json",
    log:
        LOGS / "ablations/one_space/search.log",
    benchmark:
        BENCHMARKS / "ablations/one_space/search.tsv"
    params:
        **tracked("search", COMMON / "search"),
        settings=settings("supernet", "normalization", "detector", "search"),
        supernet=" ".join(f"--supernet {path}" for path in pretrained_common()),
    message:
        "Searching in one common search space"


use rule derive as derive_common with:
    input:
        search=rules.search_common.output.manifest,
    output:
        architecture=COMMON / "architecture.json",
        manifest=COMMON / "manifest.json",
    log:
        LOGS / "ablations/one_space/derive.log",
    benchmark:
        BENCHMARKS / "ablations/one_space/derive.tsv"
    params:
        **tracked("derive", COMMON),
        settings=settings(),
    message:
        "Deriving the architecture found in the common search space"


rule replace_part:
    """The baseline with one component replaced by the searched one (Table 5)."""
    input:
        baseline=RUN / "baselines" / CONFIG.ablations.baseline / "manifest.json",
        searched=rules.derive.output.manifest,
    output:
        architecture=ABLATIONS / "searched_{component}/architecture.json",
        manifest=ABLATIONS / "searched_{component}/manifest.json",
    log:
        LOGS / "ablations/searched_{component}/replace_part.log",
    benchmark:
        BENCHMARKS / "ablations/searched_{component}/replace_part.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("replace_part", ABLATIONS / "searched_{component}"),
        settings=settings(),
    message:
        "Putting the searched {wildcards.component} into the baseline"
    shell:
        "python -m pipeline.stages.replace_part --baseline {input.baseline}"
        " --searched {input.searched} --component {wildcards.component}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule replace_operation:
    """A uniform detector with the operation of one random layer replaced (Figure 3)."""
    input:
        data=rules.prepare_detection_data.output.manifest,
    output:
        architecture=ABLATIONS
        / "replacement/{component}/{operation}/{draw}/architecture.json",
        manifest=ABLATIONS / "replacement/{component}/{operation}/{draw}/manifest.json",
    log:
        LOGS
        / "ablations/replacement/{component}/{operation}/{draw}/replace_operation.log",
    benchmark:
        (
            BENCHMARKS
            / "ablations/replacement/{component}/{operation}/{draw}/replace_operation.tsv"
        )
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked(
            "replace_operation",
            ABLATIONS / "replacement/{component}/{operation}/{draw}",
        ),
        settings=replacement_settings,
    message:
        "Placing {wildcards.operation} in a layer of the {wildcards.component}"
    shell:
        "python -m pipeline.stages.replace_operation --data {input.data}"
        " --component {wildcards.component}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


use rule screen as screen_with_sparsity with:
    output:
        space=ABLATIONS / "sparsity/{component}/{sparsity}/sub_search_space.json",
        manifest=ABLATIONS / "sparsity/{component}/{sparsity}/manifest.json",
    log:
        LOGS / "ablations/sparsity/{component}/{sparsity}.log",
    benchmark:
        BENCHMARKS / "ablations/sparsity/{component}/{sparsity}.tsv"
    params:
        **tracked("screen", ABLATIONS / "sparsity/{component}/{sparsity}"),
        settings=sparsity_settings,
        screened=screened_arguments,
        supernet=pretrained_argument("supernet", "screening_supernet"),
    message:
        "Screening the {wildcards.component} with regulariser {wildcards.sparsity}"


rule compare_detectors:
    """One of the paper's tables of detectors."""
    input:
        compared,
    output:
        table=RUN / "tables/{table}/{table}.csv",
        figure=RUN / "tables/{table}/{table}.svg",
        manifest=RUN / "tables/{table}/manifest.json",
    log:
        LOGS / "tables/{table}.log",
    benchmark:
        BENCHMARKS / "tables/{table}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("compare_detectors", RUN / "tables/{table}"),
        settings=settings(),
        detectors=compared_arguments,
    message:
        "Drawing {wildcards.table}"
    shell:
        "python -m pipeline.stages.compare_detectors --detectors {params.detectors}"
        " --table {wildcards.table}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule compare_replacements:
    """Figure 3: the detectors with one replaced operation."""
    input:
        [*replacement_architectures().values()],
        [*replacement_evaluations().values()],
    output:
        table=RUN / "figures/hit_figure3/hit_figure3.csv",
        figure=RUN / "figures/hit_figure3/hit_figure3.svg",
        manifest=RUN / "figures/hit_figure3/manifest.json",
    log:
        LOGS / "figures/hit_figure3.log",
    benchmark:
        BENCHMARKS / "figures/hit_figure3.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("compare_replacements", RUN / "figures/hit_figure3"),
        settings=settings(replacement="ablations.replacement"),
        architectures=named(replacement_architectures()),
        evaluations=named(replacement_evaluations()),
    message:
        "Drawing hit_figure3"
    shell:
        "python -m pipeline.stages.compare_replacements"
        " --architectures {params.architectures} --evaluations {params.evaluations}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule compare_screenings:
    """Figure 4: screening under several regularisers."""
    input:
        [*screenings().values()],
    output:
        table=RUN / "figures/hit_figure4/hit_figure4.csv",
        figure=RUN / "figures/hit_figure4/hit_figure4.svg",
        manifest=RUN / "figures/hit_figure4/manifest.json",
    log:
        LOGS / "figures/hit_figure4.log",
    benchmark:
        BENCHMARKS / "figures/hit_figure4.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("compare_screenings", RUN / "figures/hit_figure4"),
        settings=settings(),
        component=CONFIG.ablations.sparsity.component,
        screenings=named(screenings()),
    message:
        "Drawing hit_figure4"
    shell:
        "python -m pipeline.stages.compare_screenings --screenings {params.screenings}"
        " --component {params.component}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule draw_searched:
    """Figure 5: the searched architecture."""
    input:
        architecture=rules.derive.output.manifest,
    output:
        table=RUN / "figures/hit_figure5/hit_figure5.csv",
        figure=RUN / "figures/hit_figure5/hit_figure5.svg",
        manifest=RUN / "figures/hit_figure5/manifest.json",
    log:
        LOGS / "figures/hit_figure5.log",
    benchmark:
        BENCHMARKS / "figures/hit_figure5.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("draw_searched", RUN / "figures/hit_figure5"),
        settings=settings(),
    message:
        "Drawing hit_figure5"
    shell:
        "python -m pipeline.stages.draw_searched --architecture {input.architecture}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


TARGETS = {
    **{
        f"joint_table{n}": RUN / f"tables/joint_table{n}/manifest.json"
        for n in (1, 2, 3, 4, 5, 7)
    },
    **{
        f"joint_figure{n}": RUN / f"figures/joint_figure{n}/manifest.json"
        for n in (4, 5, 6, 7)
    },
    **{
        f"hit_table{n}": RUN / f"tables/hit_table{n}/manifest.json" for n in range(1, 7)
    },
    **{
        f"hit_figure{n}": RUN / f"figures/hit_figure{n}/manifest.json"
        for n in (3, 4, 5)
    },
}

for target, manifest in TARGETS.items():

    rule:
        """A table or figure of a paper."""
        name:
            target
        input:
            manifest,
        localrule: True
