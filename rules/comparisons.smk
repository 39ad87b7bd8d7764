"""What the rules of networks.smk and ablations.smk compute: which networks a target compares, and their settings."""

from pipeline.zoo.architectures import zoo_architecture

NETWORK = RUN / "{place}"
ABLATIONS = RUN / "ablations"
COMMON = ABLATIONS / "one_space"

# Blocks of each component at the search depth: Figure 3 draws its layers among them.
LAYERS = {
    "backbone": sum(CONFIG.supernet.depth),
    "neck": 6 if ONE_STAGE else 8,
    "head": CONFIG.supernet.head_blocks * (2 if ONE_STAGE else 1),
}


def backbone_pretraining(wildcards) -> list[str]:
    """The manifest of the pretrained backbone that a network starts from; none for some."""
    kind, _, name = wildcards.place.partition("/")
    if kind == "ablations" and name.startswith("replacement/"):
        return []
    if name == "searched_backbone":
        return pretrained("backbone")
    if CONFIG.data.classification.source in ("none", "checkpoint"):
        # given weights are those of the searched backbone, and fit no other
        return []
    if name in ("searched_neck", "searched_head"):
        return [
            f"{RUN}/baselines/{CONFIG.ablations.baseline}/pretraining/manifest.json"
        ]
    return [f"{RUN}/{wildcards.place}/pretraining/manifest.json"]


def backbone_argument(wildcards) -> str:
    """The command-line argument that names it."""
    return " ".join(f"--backbone {path}" for path in backbone_pretraining(wildcards))


def network_training(wildcards) -> str:
    """The settings of a network's training: those of the searched detector, shorter in Figure 3."""
    values = {}
    if wildcards.place.startswith("ablations/replacement/"):
        values["training.epochs"] = CONFIG.ablations.replacement.epochs
    return changed_settings(values, "normalization", "detector", "testing", "training")


def is_one_stage(baseline: str) -> bool:
    """Whether a configured baseline is a one-stage detector."""
    return zoo_architecture(CONFIG.named_baselines[baseline].zoo).rpn is None


def baseline_settings(wildcards) -> str:
    """A baseline, and what of the run's outer shape it takes."""
    scale = TWO_STAGE_ANCHORS
    if is_one_stage(wildcards.baseline):
        # null keeps the zoo's
        scale = CONFIG.supernet.anchor_scale if ONE_STAGE else None
    return settings(
        baseline=f"baselines.{wildcards.baseline}",
        input_size="supernet.input_size",
        constants={"anchor_scale": scale},
    )


def pretrained_common() -> list[str]:
    """The manifest of the weights that the search in the common space starts from."""
    if CONFIG.data.classification.source in ("none", "checkpoint"):
        return pretrained("search_supernet")
    return [f"{COMMON}/supernet/manifest.json"]


def evaluations(names: list[str]) -> dict[str, str]:
    """The manifests of networks' evaluations, by the name a table gives them."""
    return {Path(name).name: f"{RUN}/{name}/evaluation/manifest.json" for name in names}


def kind_of_baselines(one_stage: bool) -> list[str]:
    """The configured baselines of one kind."""
    return [
        f"baselines/{name}"
        for name in CONFIG.named_baselines
        if is_one_stage(name) == one_stage
    ]


def detectors_of(table: str) -> dict[str, str]:
    """The evaluations that a table compares."""
    baseline = f"baselines/{CONFIG.ablations.baseline}"
    match table:
        case "joint_table1":
            return {
                f"{kind}_{number}": f"{RUN}/joint_detnas/{kind}/{number}/evaluation/manifest.json"
                for number in range(CONFIG.joint_tables.subnets)
                for kind in ("sampled", "alone")
            }
        case "joint_table2":
            return pruned_detectors()
        case "joint_table3":
            places = {
                "without_teacher": f"standard/{CONFIG.joint_tables.student}",
                "with_teacher": "with_teacher",
            }
            return {
                name: f"{RUN}/joint_detnas/{place}/evaluation/manifest.json"
                for name, place in places.items()
            }
        case "hit_table4":
            return evaluations(["ablations/one_space", "hit_detector"])
        case "hit_table5":
            study = CONFIG.ablations
            for name in (study.baseline, *study.further_baselines):
                if name not in CONFIG.named_baselines:
                    raise WorkflowError(
                        f"hit_table5 needs {name!r}, which `ablations` names, among `baselines`:"
                        f" there are {', '.join(CONFIG.named_baselines) or 'none'}"
                    )
                if is_one_stage(name) != ONE_STAGE:
                    kind = "one-stage" if ONE_STAGE else "two-stage"
                    raise WorkflowError(
                        f"hit_table5 compares {kind} baselines with the searched"
                        f" {CONFIG.supernet.family}, but `ablations` names {name!r}: {kind} ones"
                        f" among `baselines` are"
                        f" {', '.join(Path(name).name for name in kind_of_baselines(ONE_STAGE)) or 'none'}"
                    )
            parts = [f"ablations/searched_{component}" for component in COMPONENTS]
            further = [
                f"baselines/{name}" for name in CONFIG.ablations.further_baselines
            ]
            return evaluations([baseline, *further, *parts, "hit_detector"])
        case "hit_table6":
            one_stage = kind_of_baselines(one_stage=True)
            if not one_stage:
                raise WorkflowError(
                    "hit_table6 compares one-stage detectors: add one to `baselines`, such as"
                    " retinanet_r50"
                )
            return evaluations([*one_stage, *(["hit_detector"] if ONE_STAGE else [])])
        case _:
            # the searched detector among those of its kind
            return evaluations([*kind_of_baselines(ONE_STAGE), "hit_detector"])


def compared(wildcards) -> list[str]:
    """The manifests that a table reads."""
    return [*detectors_of(wildcards.table).values()]


def compared_arguments(wildcards) -> str:
    """The same as the values of an argument."""
    return named(detectors_of(wildcards.table))


def replacements() -> dict[str, Path]:
    """The folders of the networks of Figure 3, by name: component, operation, and the number of the random layer."""
    study = CONFIG.ablations.replacement
    return {
        f"{component}.{operation}.{draw}": ABLATIONS
        / f"replacement/{component}/{operation}/{draw}"
        for component in COMPONENTS
        for operation in study.operations
        for draw in range(min(study.layers, LAYERS[component]))
    }


def replacement_architectures() -> dict[str, str]:
    """Their manifests, which say what was replaced where."""
    return {name: f"{folder}/manifest.json" for name, folder in replacements().items()}


def replacement_evaluations() -> dict[str, str]:
    """The evaluations of Figure 3. Where the base replaces itself the detector is one and the same: trained once."""
    base = CONFIG.ablations.replacement.base
    itself = ABLATIONS / f"replacement/{COMPONENTS[0]}/{base}/0"
    return {
        name: f"{itself if folder.parent.name == base else folder}/evaluation/manifest.json"
        for name, folder in replacements().items()
    }


def replacement_settings(wildcards) -> str:
    """What the stage that replaces an operation uses."""
    return settings(
        "supernet",
        replacement="ablations.replacement",
        constants={"operation": wildcards.operation, "draw": int(wildcards.draw)},
    )


def screenings() -> dict[str, str]:
    """The screenings of Figure 4, by name. Without weight (μ = 0) the regulariser does not matter."""
    study, manifests = CONFIG.ablations.sparsity, {}
    for regularizer in study.regularizers:
        for mu in study.mu:
            same = (
                mu == CONFIG.screening.mu
                and regularizer == CONFIG.screening.regularizer
            )
            name = f"{regularizer}.{mu:g}" if mu else "none"
            folder = (
                f"{HIT}/screening/{study.component}"
                if same
                else f"{ABLATIONS}/sparsity/{study.component}/{name}"
            )
            manifests.setdefault(name, f"{folder}/manifest.json")
    return manifests


def sparsity_settings(wildcards) -> str:
    """The settings of a screening with another regulariser or μ."""
    regularizer, _, mu = wildcards.sparsity.partition(".")
    values = {"screening.mu": float(mu or 0)}
    if mu:
        values["screening.regularizer"] = regularizer
    return changed_settings(
        values, "supernet", "normalization", "detector", "screening"
    )
