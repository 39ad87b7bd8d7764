"""Joint-DetNAS: the hill climbing, generation after generation, and the student that comes out."""


wildcard_constraints:
    generation="[0-9]+",
    candidate="[0-9]+",


rule propose:
    """Propose a generation's candidates (section 3.1.4, Algorithm 1)."""
    input:
        ranking_before,
        base=BASE / "manifest.json",
        pool=LAST_PHASE,
    output:
        proposals=GENERATION / "proposals/proposals.json",
        manifest=GENERATION / "proposals/manifest.json",
    log:
        LOGS / "joint_detnas/propose_{generation}.log",
    benchmark:
        BENCHMARKS / "joint_detnas/propose_{generation}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("propose", GENERATION / "proposals"),
        settings=proposing_settings,
        ranking=ranking_argument,
    message:
        "Proposing the candidates of generation {wildcards.generation}"
    shell:
        "python -m pipeline.stages.propose --base {input.base} --pool {input.pool}"
        " {params.ranking}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule evaluate_candidate:
    """Train a student–teacher pair a few epochs, and score it."""
    input:
        ranking_before,
        parents_before,
        data=rules.prepare_detection_data.output.manifest,
        base=BASE / "manifest.json",
        base_weights=BASE / "weights.safetensors",
        pool=LAST_PHASE,
        proposed=GENERATION / "proposals/manifest.json",
    output:
        weights=CANDIDATE / "weights.safetensors",
        manifest=CANDIDATE / "manifest.json",
    log:
        LOGS / "joint_detnas/candidate_{generation}_{candidate}.log",
    benchmark:
        BENCHMARKS / "joint_detnas/candidate_{generation}_{candidate}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: CONFIG.hill_climb.cpus or CONFIG.run.cpus
    resources:
        **heavy(),
    params:
        **tracked("evaluate_candidate", CANDIDATE),
        settings=candidate_settings,
        ranking=ranking_argument,
    message:
        "Evaluating candidate {wildcards.candidate} of generation {wildcards.generation}"
    shell:
        "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
        " pipeline.stages.evaluate_candidate --data {input.data} --base {input.base}"
        " --pool {input.pool} --proposed {input.proposed} {params.ranking}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule rank:
    """Rank a generation's candidates among the best so far."""
    input:
        ranking_before,
        parents_before,
        wave_weights,
        candidates=wave,
    output:
        ranking=GENERATION / "ranking/ranking.json",
        parents=GENERATION / "ranking/parents.safetensors",
        manifest=GENERATION / "ranking/manifest.json",
    log:
        LOGS / "joint_detnas/rank_{generation}.log",
    benchmark:
        BENCHMARKS / "joint_detnas/rank_{generation}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("rank", GENERATION / "ranking"),
        settings=settings(constants={"listing": climb_part(Listing)}),
        former=former_argument,
        candidates=wave_arguments,
    message:
        "Ranking the candidates of generation {wildcards.generation}"
    shell:
        "python -m pipeline.stages.rank --candidates {params.candidates} {params.former}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule remove_weights:
    """Remove the weights of candidates from which no later one can descend."""
    input:
        ranking_before,
        removed_before,
        ranking=GENERATION / "ranking/manifest.json",
        candidates=all_so_far,
    output:
        removed=GENERATION / "removed/removed.json",
        manifest=GENERATION / "removed/manifest.json",
    log:
        LOGS / "joint_detnas/remove_{generation}.log",
    benchmark:
        BENCHMARKS / "joint_detnas/remove_{generation}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("remove_weights", GENERATION / "removed"),
        settings=settings(),
        former=former_argument,
        candidates=all_so_far_arguments,
    message:
        "Removing the weights that generation {wildcards.generation} left behind"
    shell:
        "python -m pipeline.stages.remove_weights --ranking {input.ranking} {params.former}"
        " --candidates {params.candidates}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


rule take_student:
    """Take the best student of the search, without further training."""
    input:
        base=BASE / "manifest.json",
        ranking=LAST_RANKING / "manifest.json",
        parents=LAST_RANKING / "parents.safetensors",
    output:
        weights=JOINT / "student/detector/weights.safetensors",
        config=JOINT / "student/detector/config.py",
        manifest=JOINT / "student/detector/manifest.json",
    log:
        LOGS / "joint_detnas/take_student.log",
    benchmark:
        BENCHMARKS / "joint_detnas/take_student.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("take_student", JOINT / "student/detector"),
        settings=settings("normalization", "detector", "testing"),
    message:
        "Taking the best student"
    shell:
        "python -m pipeline.stages.take_student --base {input.base} --ranking {input.ranking}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


use rule evaluate_hit_detector as evaluate_joint_detnas with:
    input:
        data=rules.prepare_detection_data.output.manifest,
        detector=rules.take_student.output.manifest,
        weights=rules.take_student.output.weights,
    output:
        metrics=JOINT / "evaluation/metrics.json",
        manifest=JOINT / "evaluation/manifest.json",
    log:
        LOGS / "joint_detnas/evaluate.log",
    benchmark:
        BENCHMARKS / "joint_detnas/evaluate.tsv"
    params:
        **tracked("evaluate", JOINT / "evaluation"),
        settings=settings(
            "normalization",
            "detector",
            "testing",
            "evaluation",
            proposals="supernet.proposals",
        ),
    message:
        "Evaluating the student"


rule joint_detnas:
    """The Joint-DetNAS chain: the student and the base, both evaluated."""
    input:
        rules.evaluate_joint_detnas.output.metrics,
        JOINT / "base/evaluation/metrics.json",
        removals(),
