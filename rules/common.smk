"""How a stage is launched: the validated config, where results go, the command line, what a job asks for.

A rule names the artifacts that its stage reads by their manifests: a named input that is a
`manifest.json` becomes the argument of that name, `--data …` (`group.name=…`, one of several:
`--group name=…`). Other inputs, weights say, are only watched: where they are missing they are made again.
"""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

sys.path.insert(0, str(workflow.basedir))

from pipeline import environment
from pipeline.artifacts.digest import value_digest
from pipeline.artifacts.fingerprint import code_fingerprint
from pipeline.artifacts.manifest import MANIFEST, recorded_code
from pipeline.config.root import ConfigError, load_config
from pipeline.config.sections import changed, sections
from pipeline.search_space.architecture import COMPONENTS

try:
    CONFIG = load_config(config)
except ConfigError as error:
    raise WorkflowError(str(error)) from None

RUN = Path("results") / CONFIG.run.name
LOGS = RUN / "logs"
HIT = RUN / "hit_detector"
JOINT = RUN / "joint_detnas"

# The sections of every stage that builds a detector.
DETECTOR = ("normalization", "detector", "testing")

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

# The shell command of every stage; `stage` gives its params.
STAGE = (
    "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
    " pipeline.stages.{params.stage} {params.arguments}"
    " --settings {params.settings:q} --seed {params.seed} --code {params.code}"
    " --threads {threads} --manifest {output.manifest} 2>&1 | tee {log}"
)


def stage(
    name: str,
    folder: Path,
    settings: str | Callable[..., str] = "{}",
    *,
    uses: Callable[..., str] | None = None,
    seed: Callable[..., int] | int = CONFIG.run.seed,
) -> dict[str, object]:
    """The params of a rule that runs a stage: all that its result depends on besides the inputs.

    With `run.track_code: false` the code's fingerprint is that of the code which made what is there.

    name: of the stage, `pipeline/stages/<name>.py`.
    folder: where it publishes.
    settings: what it uses of the config, as `settings` gives it.
    uses: a module that it imports by a name which the wildcards decide.
    seed: that of the run, or another one by the wildcards.
    """

    def recorded(wildcards) -> str:
        return recorded_code(Path(str(folder).format(**wildcards)))

    def of_both(wildcards) -> str:
        return value_digest(
            [fingerprint(f"pipeline.stages.{name}"), fingerprint(uses(wildcards))]
        )

    code = recorded
    if CONFIG.run.track_code:
        code = of_both if uses else fingerprint(f"pipeline.stages.{name}")
    return {
        "stage": name,
        "settings": settings,
        "arguments": arguments,
        "seed": seed,
        "code": code,
    }


@cache
def fingerprint(module: str) -> str:
    """The digest of its code and of all that it imports."""
    return code_fingerprint(module, Path(workflow.basedir))


def arguments(wildcards, input) -> str:
    """The command-line arguments that name the artifacts among a job's inputs."""
    words: dict[str, list[str]] = {}
    for name, given in input.items():
        for path in [given] if isinstance(given, str) else given:
            if Path(path).name == MANIFEST:
                option, group, member = name.partition(".")
                words.setdefault(option, []).append(
                    f"{member}={path}" if group else str(path)
                )
    return " ".join(
        f"--{option.replace('_', '-')} {' '.join(paths)}"
        for option, paths in words.items()
    )


def grouped(group: str, artifacts: dict[str, str]) -> dict[str, str]:
    """Several artifacts of one argument, as named inputs."""
    return {f"{group}.{name}": path for name, path in artifacts.items()}


def settings(
    *names: str, constants: dict[str, object] | None = None, **renamed: str
) -> str:
    """The config sections that a stage uses, as JSON: what Snakemake tracks is what it gets."""
    return sections(CONFIG, *names, constants=constants, **renamed)


def changed_settings(
    values: dict[str, object],
    *names: str,
    constants: dict[str, object] | None = None,
    **renamed: str,
) -> str:
    """Like `settings`, of the config with some values replaced."""
    return sections(changed(CONFIG, values), *names, constants=constants, **renamed)


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
    """Resources of a stage that does not train: no GPU."""
    return {"mem_mb": memory, "runtime": minutes, "gpu": 0, "processes": 1}


def show_resources() -> None:
    """Let the message of every stage say what it asks for: Snakemake prints a message in place of that."""
    for each in workflow.rules:
        if each.message and "mem_mb" in each.resources:
            gpus = "{resources.gpu} GPUs, " if each.resources["gpu"] else ""
            each.message += (
                f" ({gpus}{{threads}} CPUs, {{resources.mem_mb}} MB,"
                " {resources.runtime} minutes)"
            )
