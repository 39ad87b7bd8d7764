"""Joint-DetNAS's tables 2, 4, 5 and 7 and figures 4 to 7, and what they train: docs/analyses.md."""


wildcard_constraints:
    refined="base_longer|pruned/[0-9.]+|pipelines/(base|nas)_prune_distil",
    judged="base_longer|pruned/[0-9.]+|pipelines/(base_prune_distil|nas_prune_distil|nas)",


rule search_pool:
    """The NAS of a pipeline: the subnet with the highest H of some that are drawn (Table 5)."""
    input:
        data=rules.prepare_detection_data.output.manifest,
        base=BASE / "manifest.json",
        pool=LAST_PHASE,
    output:
        weights=PIPELINES / "nas/detector/weights.safetensors",
        manifest=PIPELINES / "nas/detector/manifest.json",
    log:
        LOGS / "joint_detnas/pipelines/search_pool.log",
    benchmark:
        BENCHMARKS / "joint_detnas/pipelines/search_pool.tsv"
    conda:
        "../envs/environment.yaml"
    threads: cpus_of(1)
    resources:
        **heavy(gpus=1),
    params:
        **tracked("search_pool", PIPELINES / "nas/detector"),
        settings=pool_search_settings(),
    message:
        "Searching the teacher pool"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.search_pool --data {input.data} --base {input.base} --pool {input.pool}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule refine_detector:
    """Train a detector further, pruned before or not (Tables 2, 4 and 5)."""
    input:
        unpack(refined_inputs),
        data=rules.prepare_detection_data.output.manifest,
    output:
        weights=JOINT / "{refined}/detector/weights.safetensors",
        config=JOINT / "{refined}/detector/config.py",
        manifest=JOINT / "{refined}/detector/manifest.json",
    log:
        LOGS / "joint_detnas/{refined}/refine.log",
    benchmark:
        BENCHMARKS / "joint_detnas/{refined}/refine.tsv"
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **tracked("refine_detector", JOINT / "{refined}/detector"),
        settings=refined_settings,
        inputs=refined_arguments,
    message:
        "Training {wildcards.refined}"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.refine_detector --data {input.data} {params.inputs}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


use rule evaluate_hit_detector as evaluate_refined with:
    input:
        data=rules.prepare_detection_data.output.manifest,
        detector=JOINT / "{judged}/detector/manifest.json",
        weights=JOINT / "{judged}/detector/weights.safetensors",
    output:
        metrics=JOINT / "{judged}/evaluation/metrics.json",
        manifest=JOINT / "{judged}/evaluation/manifest.json",
    log:
        LOGS / "joint_detnas/{judged}/evaluate.log",
    benchmark:
        BENCHMARKS / "joint_detnas/{judged}/evaluate.tsv"
    params:
        **tracked("evaluate", JOINT / "{judged}/evaluation"),
        settings=settings(
            "normalization",
            "detector",
            "testing",
            "evaluation",
            proposals="supernet.proposals",
        ),
    message:
        "Evaluating {wildcards.judged}"


rule compare_upgrade:
    """Table 4: the base, the base trained longer, and the student."""
    input:
        [*upgraded_detectors().values()],
    output:
        table=RUN / "tables/joint_table4/joint_table4.csv",
        figure=RUN / "tables/joint_table4/joint_table4.svg",
        manifest=RUN / "tables/joint_table4/manifest.json",
    log:
        LOGS / "tables/joint_table4.log",
    benchmark:
        BENCHMARKS / "tables/joint_table4.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("compare_upgrade", RUN / "tables/joint_table4"),
        settings=settings(),
        detectors=named(upgraded_detectors()),
    message:
        "Drawing joint_table4"
    shell:
        "python -m pipeline.stages.compare_upgrade --detectors {params.detectors}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule compare_pipelines:
    """Table 5: pipelines that prune and then distil, and the joint search."""
    input:
        [*PIPELINE_STARTS.values()],
        [*PIPELINE_ENDS.values()],
    output:
        table=RUN / "tables/joint_table5/joint_table5.csv",
        figure=RUN / "tables/joint_table5/joint_table5.svg",
        manifest=RUN / "tables/joint_table5/manifest.json",
    log:
        LOGS / "tables/joint_table5.log",
    benchmark:
        BENCHMARKS / "tables/joint_table5.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("compare_pipelines", RUN / "tables/joint_table5"),
        settings=settings(),
        starts=named(PIPELINE_STARTS),
        ends=named(PIPELINE_ENDS),
    message:
        "Drawing joint_table5"
    shell:
        "python -m pipeline.stages.compare_pipelines --starts {params.starts}"
        " --ends {params.ends}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule count_search_cost:
    """Table 7: what the search cost, from the manifests."""
    input:
        evaluation=rules.evaluate_joint_detnas.output.manifest,
        descent=rules.trace_descent.output.manifest,
    output:
        table=RUN / "tables/joint_table7/joint_table7.csv",
        figure=RUN / "tables/joint_table7/joint_table7.svg",
        manifest=RUN / "tables/joint_table7/manifest.json",
    log:
        LOGS / "tables/joint_table7.log",
    benchmark:
        BENCHMARKS / "tables/joint_table7.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("count_search_cost", RUN / "tables/joint_table7"),
        settings=settings(),
    message:
        "Drawing joint_table7"
    shell:
        "python -m pipeline.stages.count_search_cost --evaluation {input.evaluation}"
        " --descent {input.descent}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule compare_searches:
    """Figure 4: the search with teachers that evolve, and with one teacher."""
    input:
        dynamic=rules.trace_descent.output.manifest,
        fixed=rules.trace_fixed.output.manifest,
    output:
        table=RUN / "figures/joint_figure4/joint_figure4.csv",
        figure=RUN / "figures/joint_figure4/joint_figure4.svg",
        manifest=RUN / "figures/joint_figure4/manifest.json",
    log:
        LOGS / "figures/joint_figure4.log",
    benchmark:
        BENCHMARKS / "figures/joint_figure4.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("compare_searches", RUN / "figures/joint_figure4"),
        settings=settings(),
    message:
        "Drawing joint_figure4"
    shell:
        "python -m pipeline.stages.compare_searches --searches dynamic={input.dynamic}"
        " fixed={input.fixed}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule draw_capacities:
    """Figure 5: capacity of teachers and students."""
    input:
        descent=rules.trace_descent.output.manifest,
        pool=LAST_PHASE,
    output:
        table=RUN / "figures/joint_figure5/joint_figure5.csv",
        figure=RUN / "figures/joint_figure5/joint_figure5.svg",
        manifest=RUN / "figures/joint_figure5/manifest.json",
    log:
        LOGS / "figures/joint_figure5.log",
    benchmark:
        BENCHMARKS / "figures/joint_figure5.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("draw_capacities", RUN / "figures/joint_figure5"),
        settings=settings(),
    message:
        "Drawing joint_figure5"
    shell:
        "python -m pipeline.stages.draw_capacities --descent {input.descent}"
        " --pool {input.pool}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule draw_gains:
    """Figure 6: what each kind of change brought, and when."""
    input:
        descent=rules.trace_descent.output.manifest,
        base=BASE / "manifest.json",
    output:
        table=RUN / "figures/joint_figure6/joint_figure6.csv",
        figure=RUN / "figures/joint_figure6/joint_figure6.svg",
        manifest=RUN / "figures/joint_figure6/manifest.json",
    log:
        LOGS / "figures/joint_figure6.log",
    benchmark:
        BENCHMARKS / "figures/joint_figure6.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("draw_gains", RUN / "figures/joint_figure6"),
        settings=settings(
            resolution="detector.image_scale",
            constants={"scoring": climb_part(Scoring)},
        ),
    message:
        "Drawing joint_figure6"
    shell:
        "python -m pipeline.stages.draw_gains --descent {input.descent}"
        " --base {input.base}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule draw_allocation:
    """Figure 7: computation of each stage before and after the search."""
    input:
        base=BASE / "manifest.json",
        student=rules.take_student.output.manifest,
    output:
        table=RUN / "figures/joint_figure7/joint_figure7.csv",
        figure=RUN / "figures/joint_figure7/joint_figure7.svg",
        manifest=RUN / "figures/joint_figure7/manifest.json",
    log:
        LOGS / "figures/joint_figure7.log",
    benchmark:
        BENCHMARKS / "figures/joint_figure7.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("draw_allocation", RUN / "figures/joint_figure7"),
        settings=settings(),
    message:
        "Drawing joint_figure7"
    shell:
        "python -m pipeline.stages.draw_allocation --base {input.base}"
        " --student {input.student}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"
