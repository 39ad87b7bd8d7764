"""Joint-DetNAS: the tree of descent of a search, and a second search whose teacher stays the same (Figure 4)."""


rule trace_descent:
    """Gather all candidates of the search."""
    input:
        [*all_candidates(CLIMB).values()],
        removals(),  # while they run, files vanish that this stage verifies
    output:
        descent=DESCENT / "descent.json",
        manifest=DESCENT / "manifest.json",
    log:
        LOGS / "joint_detnas/trace_descent.log",
    benchmark:
        BENCHMARKS / "joint_detnas/trace_descent.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("trace_descent", DESCENT),
        settings=settings(),
        candidates=named(all_candidates(CLIMB)),
    message:
        "Gathering the candidates of the search"
    shell:
        "python -m pipeline.stages.trace_descent --candidates {params.candidates}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


use rule propose as propose_fixed with:
    input:
        in_second_search(ranking_before),
        base=BASE / "manifest.json",
        pool=LAST_PHASE,
    output:
        proposals=FIXED / "generation_{generation}/proposals/proposals.json",
        manifest=FIXED / "generation_{generation}/proposals/manifest.json",
    log:
        LOGS / "joint_detnas/fixed_teacher/propose_{generation}.log",
    benchmark:
        BENCHMARKS / "joint_detnas/fixed_teacher/propose_{generation}.tsv"
    params:
        **tracked("propose", FIXED / "generation_{generation}/proposals"),
        settings=fixed_proposing_settings,
        ranking=in_second_search(ranking_argument),
    message:
        "Proposing generation {wildcards.generation} of the search with a fixed teacher"


use rule evaluate_candidate as evaluate_fixed with:
    input:
        in_second_search(ranking_before),
        in_second_search(parents_before),
        data=rules.prepare_detection_data.output.manifest,
        base=BASE / "manifest.json",
        base_weights=BASE / "weights.safetensors",
        pool=LAST_PHASE,
        proposed=FIXED / "generation_{generation}/proposals/manifest.json",
    output:
        weights=FIXED
        / "generation_{generation}/candidate_{candidate}/weights.safetensors",
        manifest=FIXED / "generation_{generation}/candidate_{candidate}/manifest.json",
    log:
        LOGS / "joint_detnas/fixed_teacher/candidate_{generation}_{candidate}.log",
    benchmark:
        BENCHMARKS / "joint_detnas/fixed_teacher/candidate_{generation}_{candidate}.tsv"
    params:
        **tracked(
            "evaluate_candidate",
            FIXED / "generation_{generation}/candidate_{candidate}",
        ),
        settings=candidate_settings,
        ranking=in_second_search(ranking_argument),
    message:
        "Evaluating candidate {wildcards.candidate} of generation {wildcards.generation}, fixed teacher"


use rule rank as rank_fixed with:
    input:
        in_second_search(ranking_before),
        in_second_search(parents_before),
        in_second_search(wave_weights),
        candidates=in_second_search(wave),
    output:
        ranking=FIXED / "generation_{generation}/ranking/ranking.json",
        parents=FIXED / "generation_{generation}/ranking/parents.safetensors",
        manifest=FIXED / "generation_{generation}/ranking/manifest.json",
    log:
        LOGS / "joint_detnas/fixed_teacher/rank_{generation}.log",
    benchmark:
        BENCHMARKS / "joint_detnas/fixed_teacher/rank_{generation}.tsv"
    params:
        **tracked("rank", FIXED / "generation_{generation}/ranking"),
        settings=settings(constants={"listing": climb_part(Listing)}),
        former=in_second_search(former_argument),
        candidates=in_second_search(wave_arguments),
    message:
        "Ranking generation {wildcards.generation} of the search with a fixed teacher"


use rule remove_weights as remove_fixed with:
    input:
        in_second_search(ranking_before),
        in_second_search(removed_before),
        ranking=FIXED / "generation_{generation}/ranking/manifest.json",
        candidates=in_second_search(all_so_far),
    output:
        removed=FIXED / "generation_{generation}/removed/removed.json",
        manifest=FIXED / "generation_{generation}/removed/manifest.json",
    log:
        LOGS / "joint_detnas/fixed_teacher/remove_{generation}.log",
    benchmark:
        BENCHMARKS / "joint_detnas/fixed_teacher/remove_{generation}.tsv"
    params:
        **tracked("remove_weights", FIXED / "generation_{generation}/removed"),
        settings=settings(),
        former=in_second_search(former_argument),
        candidates=in_second_search(all_so_far_arguments),
    message:
        "Removing the weights that generation {wildcards.generation} left behind, fixed teacher"


use rule trace_descent as trace_fixed with:
    input:
        [*all_candidates(FIXED).values()],
        in_fixed(removals()),
    output:
        descent=FIXED / "descent/descent.json",
        manifest=FIXED / "descent/manifest.json",
    log:
        LOGS / "joint_detnas/fixed_teacher/trace_descent.log",
    benchmark:
        BENCHMARKS / "joint_detnas/fixed_teacher/trace_descent.tsv"
    params:
        **tracked("trace_descent", FIXED / "descent"),
        settings=settings(),
        candidates=named(all_candidates(FIXED)),
    message:
        "Gathering the candidates of the search with a fixed teacher"
