"""Networks beside the searched one, as architectures: of the zoo, and variants for the ablations.

What trains and evaluates them is in hit_detector.smk, students.smk and evaluation.smk.
"""


wildcard_constraints:
    chosen="baselines/[A-Za-z0-9_]+|joint_detnas/(bases/[A-Za-z0-9_]+/)?base",
    draw="[0-9]+",
    sampled="random|ground_truth",
    operation="[a-z0-9_]+",
    whole="combined|mixed/[A-Za-z0-9_]+",


rule choose_network:
    """Take a network from the zoo, at the scale of the run."""
    input:
        data=DETECTION,
    output:
        architecture=RUN / "{chosen}/architecture.json",
        manifest=RUN / "{chosen}/manifest.json",
    log:
        LOGS / "{chosen}/choose_network.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage("choose_network", RUN / "{chosen}", chosen_settings),
    message:
        "Taking {wildcards.chosen} from the zoo"
    shell:
        STAGE


rule merge_spaces:
    """One sub search space for all three components (Table 4)."""
    input:
        **{name: HIT / f"screening/{name}/manifest.json" for name in COMPONENTS},
    output:
        space=ABLATIONS / "one_space/space/sub_search_space.json",
        manifest=ABLATIONS / "one_space/space/manifest.json",
    log:
        LOGS / "ablations/one_space/merge_spaces.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage(
            "merge_spaces",
            ABLATIONS / "one_space/space",
            settings(keep="screening.keep.backbone"),
        ),
    message:
        "Merging the sub search spaces"
    shell:
        STAGE


rule replace_part:
    """The baseline with one component replaced by the searched one (Table 5)."""
    input:
        baseline=RUN / "baselines" / CONFIG.ablations.baseline / "manifest.json",
        searched=HIT / "manifest.json",
    output:
        architecture=ABLATIONS / "searched_{component}/architecture.json",
        manifest=ABLATIONS / "searched_{component}/manifest.json",
    log:
        LOGS / "ablations/searched_{component}/replace_part.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage(
            "replace_part",
            ABLATIONS / "searched_{component}",
            lambda wildcards: settings(constants={"component": wildcards.component}),
        ),
    message:
        "Putting the searched {wildcards.component} into the baseline"
    shell:
        STAGE


rule hold_part:
    """The one operation of a component that is held while another one is searched."""
    output:
        space=ABLATIONS / "apart/held/{component}/sub_search_space.json",
        manifest=ABLATIONS / "apart/held/{component}/manifest.json",
    log:
        LOGS / "ablations/apart/hold_{component}.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage(
            "state_space",
            ABLATIONS / "apart/held/{component}",
            lambda wildcards: settings(
                constants={
                    "component": wildcards.component,
                    "space": [getattr(CONFIG.ablations.apart, wildcards.component)],
                }
            ),
        ),
    message:
        "Holding the {wildcards.component}"
    shell:
        STAGE


rule combine_parts:
    """Parts of several detectors in one: each searched apart (section 1), or of others (Table 1)."""
    input:
        unpack(parts_of),
    output:
        architecture=ABLATIONS / "{whole}/architecture.json",
        manifest=ABLATIONS / "{whole}/manifest.json",
    log:
        LOGS / "ablations/{whole}/combine_parts.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage("combine_parts", ABLATIONS / "{whole}", parts_settings),
    message:
        "Putting parts of several detectors into one: {wildcards.whole}"
    shell:
        STAGE


rule replace_operation:
    """A uniform detector with the operation of one random layer replaced (Figure 3)."""
    input:
        data=DETECTION,
    output:
        architecture=ABLATIONS / "replacement/{component}/{operation}/{draw}/architecture.json",
        manifest=ABLATIONS / "replacement/{component}/{operation}/{draw}/manifest.json",
    log:
        LOGS / "ablations/replacement/{component}/{operation}/{draw}/replace.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage(
            "replace_operation",
            ABLATIONS / "replacement/{component}/{operation}/{draw}",
            replacement_settings,
        ),
    message:
        "Placing {wildcards.operation} in a layer of the {wildcards.component}"
    shell:
        STAGE


rule sample_architecture:
    """A random architecture from the sub search spaces: of the searched one's cost, or of any."""
    input:
        unpack(sampled_from),
    output:
        architecture=ABLATIONS / "{sampled}/{draw}/architecture.json",
        manifest=ABLATIONS / "{sampled}/{draw}/manifest.json",
    log:
        LOGS / "ablations/{sampled}/{draw}/sample_architecture.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage("sample_architecture", ABLATIONS / "{sampled}/{draw}", sampling_settings),
    message:
        "Drawing architecture {wildcards.draw} of {wildcards.sampled}"
    shell:
        STAGE


rule scale_plain:
    """A network of the zoo, scaled in width to the searched architecture's cost."""
    input:
        searched=HIT / "manifest.json",
    output:
        architecture=ABLATIONS / "plain/architecture.json",
        manifest=ABLATIONS / "plain/manifest.json",
    log:
        LOGS / "ablations/plain/scale_plain.log",
    localrule: True
    resources:
        **light(),
    params:
        **stage(
            "scale_plain",
            ABLATIONS / "plain",
            settings(
                plain="ablations.random.plain",
                proposals="supernet.proposals",
                anchor_scale="supernet.anchor_scale",
                constants=MATCHING,
            ),
        ),
    message:
        "Scaling the plain network to the searched one's cost"
    shell:
        STAGE
