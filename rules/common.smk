"""What all rules share: the validated config, where results go, and how a stage is launched."""

import sys
from pathlib import Path

sys.path.insert(0, str(workflow.basedir))

from pipeline import environment
from pipeline.artifacts.fingerprint import code_fingerprint
from pipeline.artifacts.manifest import recorded_code
from pipeline.config.root import ConfigError, load_config
from pipeline.config.sections import changed, sections
from pipeline.doctor.datasets import missing_datasets
from pipeline.search_space.architecture import COMPONENTS
from pipeline.status import Job, write_jobs

try:
    CONFIG = load_config(config)
except ConfigError as error:
    raise WorkflowError(str(error)) from None

RUN = Path("results") / CONFIG.run.name
LOGS = RUN / "logs"
BENCHMARKS = RUN / "benchmarks"
HIT = RUN / "hit_detector"

# Where a stage runs does not make its results stale, so this is in no rule's params.
# Threads that spin for long while they wait make a training step 20 times slower as soon as another
# process takes one of their cores; threads that sleep at once make it 2.7 times slower on an idle
# machine (0.54 s instead of 0.20 s). GCC's runtime, torch's on Linux, knows a middle: spin briefly.
# A scheduler sends its signals to all processes of a job at once: shell and tee must outlive the stage,
# which commits a checkpoint and says so in its log. The end of a shell is taken for that of the job.
shell.prefix(
    "set -euo pipefail; trap : TERM USR1;"
    " tee() {{ trap '' TERM USR1 INT; command tee \"$@\"; }};"
    f" export PATH={Path(sys.executable).parent}:$PATH"
    f" PYTHONPATH={workflow.basedir}"
    " OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=20000"
    f" {environment.RUN}={RUN}"
    f" {environment.DEVICE}={CONFIG.run.device}"
    f" {environment.REFERENCE_GPUS}={CONFIG.run.reference_gpus or CONFIG.run.gpus}"
    f" {environment.SCHEDULED}={int(not workflow.is_main_process)}"
    f" {environment.CHECKPOINT_SECONDS}={CONFIG.run.checkpoint_seconds}; "
)


ONE_STAGE = CONFIG.supernet.one_stage
# Where the searched detector has other anchors, the teacher pool's are those of a two-stage one.
TWO_STAGE_ANCHORS = (
    CONFIG.teacher_pool.space if ONE_STAGE else CONFIG.supernet
).anchor_scale


def require_datasets(data) -> None:
    """Refuse to start where a dataset is missing: one message, with the tree that is expected."""
    message = missing_datasets(data)
    if message:
        raise WorkflowError(message)


def settings(
    *names: str, constants: dict[str, object] | None = None, **renamed: str
) -> str:
    """The config sections that a stage uses, as JSON: what Snakemake tracks is what it gets."""
    return sections(CONFIG, *names, constants=constants, **renamed)


def changed_settings(values: dict[str, object], *names: str, **renamed: str) -> str:
    """Like `settings`, of the config with some values replaced."""
    return sections(changed(CONFIG, values), *names, **renamed)


def tracked(stage: str, folder: Path) -> dict[str, object]:
    """The params of every stage besides its settings: the seed, and the fingerprint of its code.

    With `run.track_code: false` it is that of the code which made what is in the folder.
    """

    def recorded(wildcards) -> str:
        return recorded_code(Path(str(folder).format(**wildcards)))

    code = recorded
    if CONFIG.run.track_code:
        code = code_fingerprint(f"pipeline.stages.{stage}", Path(workflow.basedir))
    return {"seed": CONFIG.run.seed, "code": code}


CROPPED = CONFIG.data.classification.source == "crops"


def annotation_files(wildcards) -> list[str]:
    """The user's annotation files; of those that are missing the stage tells, with all other defects."""
    detection = CONFIG.data.detection
    splits = detection.active.splits.values() if detection.source == "coco" else ()
    return [split.annotations for split in splits if Path(split.annotations).exists()]


def given_weights(wildcards) -> str:
    """The user's file of a network's weights."""
    return getattr(CONFIG.data.classification.active, wildcards.network)


def given_weights_settings(wildcards) -> str:
    """The same as the stage's settings."""
    return settings(file=f"data.classification.checkpoint.{wildcards.network}")


# Where the weights of a network lie that is pretrained on the classification data.
PRETRAINED = {
    "screening_supernet": HIT / "screening/supernet",
    "search_supernet": HIT / "supernet",
    "backbone": HIT / "pretraining",
}


def pretrained(network: str, file: str = "manifest.json") -> list[str]:
    """A file of a network's pretrained weights; none where it starts from its initialisation."""
    classification = CONFIG.data.classification
    if classification.source == "none":
        return []
    if classification.source == "checkpoint":
        given = getattr(classification.active, network)
        return [f"{RUN}/data/weights/{network}/{file}"] if given else []
    return [f"{PRETRAINED[network]}/{file}"]


def pretrained_argument(name: str, network: str) -> str:
    """The command-line argument that names those weights."""
    return " ".join(f"--{name} {path}" for path in pretrained(network))


def heavy(minutes: int = 720, gpus: int = CONFIG.run.gpus) -> dict[str, int]:
    """Resources of a stage that trains, for `python -m pipeline.launch`.

    `gpu` is what a scheduler grants, on one node; without GPUs, `processes` share the CPU in their
    place. A longer training is continued by the profile's `retries`. Memory: of each process with its
    share of the dataset's index, and of each that loads images.
    """
    return {
        "mem_mb": 3000 * gpus + 1000 * cpus_of(gpus),
        "runtime": minutes,
        "nodes": 1,
        "gpu": 0 if CONFIG.run.device == "cpu" else gpus,
        "processes": gpus,
    }


def cpus_of(gpus: int) -> int:
    """CPU cores of a job with some of the GPUs: its share of `run.cpus`."""
    return max(1, CONFIG.run.cpus * gpus // CONFIG.run.gpus)


def light(memory: int = 4000, minutes: int = 60) -> dict[str, int]:
    """Resources of a stage that does not train."""
    return {"mem_mb": memory, "runtime": minutes}


def show_resources() -> None:
    """Let the message of every stage say what it asks for: Snakemake prints a message in place of that."""
    for each in workflow.rules:
        if each.message and "mem_mb" in each.resources:
            gpus = "{resources.gpu} GPUs, " if "gpu" in each.resources else ""
            each.message += (
                f" ({gpus}{{threads}} CPUs, {{resources.mem_mb}} MB,"
                " {resources.runtime} minutes)"
            )


def checking(data) -> dict[str, int]:
    """Resources of a stage that checks a dataset: the user's own may be as large as COCO or ImageNet."""
    return light() if data.source == "embedded" else light(24000, 600)


def named(artifacts: dict[str, str]) -> str:
    """The values of an argument that names artifacts."""
    return " ".join(f"{name}={path}" for name, path in artifacts.items())


def screened_before(wildcards) -> dict[str, str]:
    """The screenings that come before a component's: backbone, neck, head."""
    earlier = COMPONENTS[: COMPONENTS.index(wildcards.component)]
    return {name: f"{HIT}/screening/{name}/manifest.json" for name in earlier}


def screened_arguments(wildcards) -> str:
    """The command-line arguments that name those screenings."""
    return " ".join(
        f"--{name} {path}" for name, path in screened_before(wildcards).items()
    )


def jobs_of_run() -> list[Job]:
    """The stages of the run, in an order in which they can be worked off: for `pipeline.status`."""
    levels = [
        [
            Job(
                "_".join((job.rule.name, *map(str, job.wildcards))),
                str(Path(job.log[0]).relative_to(RUN)),
                str(Path(job.output.manifest).relative_to(RUN)),
            )
            for job in level
            if job.output.get("manifest")
        ]
        for level in workflow.dag.toposorted()
    ]
    return [job for level in levels for job in sorted(level)]


POOL = RUN / "joint_detnas/teacher_pool"


def former_phases(wildcards) -> dict[str, str]:
    """The phase before, and phase 0, whose largest net teaches; none for phase 0 itself."""
    phase = int(wildcards.phase)
    if phase == 0:
        return {}
    return {
        "former": f"{POOL}/phase_{phase - 1}/manifest.json",
        "largest": f"{POOL}/phase_0/manifest.json",
    }


def former_phase_arguments(wildcards) -> str:
    """The command-line arguments that name those phases."""
    return " ".join(
        f"--{name} {path}" for name, path in former_phases(wildcards).items()
    )


def phase_settings(wildcards) -> str:
    """The settings of a phase. Other phases are no part of it: a change there leaves it as it is."""
    number = int(wildcards.phase)
    phase = CONFIG.teacher_pool.phases[number].model_dump(mode="json")
    distillation = CONFIG.teacher_pool.distillation.model_dump(mode="json")
    return settings(
        "normalization",
        "detector",
        "testing",
        space="teacher_pool.space",
        recalibration="teacher_pool.recalibration",
        constants={"phase": phase, "distillation": distillation if number else None},
    )


LAST_PHASE = POOL / f"phase_{len(CONFIG.teacher_pool.phases) - 1}/manifest.json"


def student_inputs(wildcards) -> dict[str, str]:
    """The network that is trained, and the pool that its teacher comes from, if it has one."""
    kind, _, number = wildcards.trained.partition("/")
    if kind == "base":
        return {"architecture": f"{RUN}/joint_detnas/base/manifest.json"}
    if kind == "alone":
        sampled = f"{RUN}/joint_detnas/sampled/{number}/detector/manifest.json"
        return {"architecture": sampled}
    baseline = f"{RUN}/baselines/{CONFIG.joint_tables.student}/manifest.json"
    pool = {"pool": str(LAST_PHASE)} if kind == "with_teacher" else {}
    return {"architecture": baseline, **pool}


def student_arguments(wildcards) -> str:
    """The command-line arguments that name them."""
    named = student_inputs(wildcards)
    return " ".join(f"--{name} {path}" for name, path in named.items())


def student_settings(wildcards) -> str:
    """The settings of a student's training; only a teacher is recalibrated."""
    recalibration = CONFIG.teacher_pool.recalibration.model_dump(mode="json")
    taught = wildcards.trained == "with_teacher"
    return settings(
        "normalization",
        "detector",
        "testing",
        training=(
            "base_detector.training"
            if wildcards.trained == "base"
            else "joint_tables.training"
        ),
        constants={"recalibration": recalibration if taught else None},
    )


def sampling_settings(wildcards) -> str:
    """The settings of a draw from the pool."""
    return settings(
        "normalization",
        "detector",
        "testing",
        recalibration="teacher_pool.recalibration",
        constants={"number": int(wildcards.number)},
    )
