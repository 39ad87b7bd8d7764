"""Networks beside the searched one: baselines, and variants for the ablations, trained and evaluated alike.

Each lies in `results/<run>/<network>/` as the searched detector does in `hit_detector/`: its
architecture.json, pretraining/, detector/ and evaluation/.
"""


wildcard_constraints:
    place="baselines/[A-Za-z0-9_]+|ablations/[A-Za-z0-9_/.]+",
    baseline="[A-Za-z0-9_]+",


rule choose_network:
    """Take a baseline from the zoo, at the scale of the run."""
    input:
        data=rules.prepare_detection_data.output.manifest,
    output:
        architecture=RUN / "baselines/{baseline}/architecture.json",
        manifest=RUN / "baselines/{baseline}/manifest.json",
    log:
        LOGS / "baselines/{baseline}/choose_network.log",
    benchmark:
        BENCHMARKS / "baselines/{baseline}/choose_network.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        **light(),
    params:
        **tracked("choose_network", RUN / "baselines/{baseline}"),
        settings=baseline_settings,
    message:
        "Taking {wildcards.baseline} from the zoo"
    shell:
        "python -m pipeline.stages.choose_network --data {input.data}"
        " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
        " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"


use rule pretrain_backbone as pretrain_network with:
    input:
        data=rules.prepare_classification_data.output.manifest,
        architecture=NETWORK / "manifest.json",
    output:
        weights=NETWORK / "pretraining/weights.safetensors",
        manifest=NETWORK / "pretraining/manifest.json",
    log:
        LOGS / "{place}/pretrain.log",
    benchmark:
        BENCHMARKS / "{place}/pretrain.tsv"
    params:
        **tracked("pretrain_backbone", NETWORK / "pretraining"),
        settings=settings("normalization", "pretraining"),
    message:
        "Pretraining the backbone of {wildcards.place}"


use rule train_detector as train_network with:
    input:
        backbone_pretraining,
        data=rules.prepare_detection_data.output.manifest,
        architecture=NETWORK / "manifest.json",
    output:
        weights=NETWORK / "detector/weights.safetensors",
        config=NETWORK / "detector/config.py",
        manifest=NETWORK / "detector/manifest.json",
    log:
        LOGS / "{place}/train.log",
    benchmark:
        BENCHMARKS / "{place}/train.tsv"
    params:
        **tracked("train_detector", NETWORK / "detector"),
        settings=network_training,
        backbone=backbone_argument,
    message:
        "Training {wildcards.place}"


use rule evaluate_hit_detector as evaluate_network with:
    input:
        data=rules.prepare_detection_data.output.manifest,
        detector=NETWORK / "detector/manifest.json",
        weights=NETWORK / "detector/weights.safetensors",
    output:
        metrics=NETWORK / "evaluation/metrics.json",
        manifest=NETWORK / "evaluation/manifest.json",
    log:
        LOGS / "{place}/evaluate.log",
    benchmark:
        BENCHMARKS / "{place}/evaluate.tsv"
    params:
        **tracked("evaluate", NETWORK / "evaluation"),
        settings=settings(
            "normalization",
            "detector",
            "testing",
            "evaluation",
            proposals="supernet.proposals",
        ),
    message:
        "Evaluating {wildcards.place}"
