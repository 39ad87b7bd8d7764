"""How a stage is launched: the validated config, where results go, the command line, what a job asks for.

Rules name the artifacts that their stages read by their manifests: a named input that is a
`manifest.json` becomes the argument of that name, `--data …` (`group.name=…`, one of several:
`--group name=…`). Other inputs, weights say, are only watched: where they are missing they are made again.
"""

import shlex
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from snakemake.io import contains_wildcard

CHECKOUT = Path(workflow.basedir)

sys.path.insert(0, str(CHECKOUT))
# An environment that several checkouts share may have imported another one's code when Python started.
if "pipeline" in sys.modules and Path(sys.modules["pipeline"].__file__).parents[1] != CHECKOUT:
    for _name in [name for name in sys.modules if name.split(".")[0] == "pipeline"]:
        del sys.modules[_name]

from pipeline import environment
from pipeline.artifacts.digest import value_digest
from pipeline.artifacts.fingerprint import code_fingerprint
from pipeline.artifacts.manifest import MANIFEST, recorded_code
from pipeline.config.files import read_config_file
from pipeline.config.root import ConfigError, load_config
from pipeline.config.sections import changed, sections
from pipeline.search_space.architecture import COMPONENTS

try:
    # only to refuse what Snakemake reads in another way, or evaluates
    for _path in filter(Path.is_file, map(Path, workflow.configfiles)):
        read_config_file(_path)
    CONFIG = load_config(config)
except ConfigError as error:
    raise WorkflowError(str(error)) from None

PYTHON = Path(sys.executable).parent
# PATH and PYTHONPATH are lists between colons; Snakemake formats the paths of the files it includes, and
# puts the working directory between double quotes into a shell where a command is long.
for _folder, _forbidden in (
    (CHECKOUT, ":{}\n"),
    (PYTHON, ":\n"),
    (Path.cwd(), '"$`\\\n'),
):
    if _found := [sign for sign in _forbidden if sign in str(_folder)]:
        raise WorkflowError(
            f"DetSearch cannot be run with the folder {str(_folder)!r}, for the"
            f" {' and '.join(map(repr, _found))} in its path: move or rename it"
        )

RUN = Path("results") / CONFIG.run.name
LOGS = RUN / "logs"
HIT = RUN / "hit_detector"
JOINT = RUN / "joint_detnas"

# The sections of every stage that builds a detector.
DETECTOR = ("normalization", "detector", "testing")

# Where a stage runs does not make its results stale, so this is no part of the params.
# Threads that spin for long while they wait make a training step 20 times slower as soon as another
# process takes one of their cores; threads that sleep at once make it 2.7 times slower on an idle
# machine (0.54 s instead of 0.20 s). GCC's runtime, torch's on Linux, knows a middle: spin briefly.
# A scheduler sends its signals to all processes of a job at once: shell and tee must outlive the stage,
# which commits a checkpoint and says so in its log. The end of a shell is taken for that of the job.
# A log that cannot be written (a full disk, a terminal that is gone) fails no stage.
# Programs are those of this environment, modules those of this checkout: also where Snakemake is started in
# a folder that holds other ones, which -m would take first (PYTHONSAFEPATH). `given` writes text that is too
# long for an argument (Linux: 128 KiB; a character is up to 4 bytes) to a file, and prints what to pass.
PREFIX = (
    "set -euo pipefail; trap : TERM USR1 HUP;"
    " tee() { trap '' TERM USR1 INT HUP PIPE; command tee \"$@\" || true; };"
    ' given() { if ((${#1} < 30000)); then printf %s "$1";'
    ' else printf %s "$1" > "$2" && printf %s "@$2"; fi; };'
    f" export PATH={shlex.quote(str(PYTHON))}:$PATH"
    f' PYTHONPATH={shlex.quote(str(CHECKOUT))}:"$PWD" PYTHONSAFEPATH=1'
    " OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=20000"
    f" {environment.RUN}={shlex.quote(str(RUN))}"
    f" {environment.DEVICE}={CONFIG.run.device}"
    f" {environment.REFERENCE_GPUS}={CONFIG.run.reference_gpus or CONFIG.run.gpus}"
    f" {environment.SCHEDULED}={int(not workflow.is_main_process)}"
    f" {environment.CHECKPOINT_SECONDS}={CONFIG.run.checkpoint_seconds}; "
)
shell.prefix(PREFIX.replace("{", "{{").replace("}", "}}"))

# The shell command of every stage; `stage` gives its params.
STAGE = (
    "python -m pipeline.launch {resources.gpu} {resources.processes} {resources.runtime}"
    " pipeline.stages.{params.stage} {params.arguments}"
    ' --settings "$(given {params.settings:q} {log:q}.settings)"'
    " --seed {params.seed} --code {params.code}"
    " --threads {threads} --manifest {output.manifest:q} 2>&1 | tee {log:q}"
)


def stage(
    name: str,
    folder: Path,
    settings: str | Callable[..., str] = "{}",
    *,
    uses: Callable[..., str] | None = None,
    watched: Callable[[], list[str]] | None = None,
    seed: Callable[..., int] | int = CONFIG.run.seed,
) -> dict[str, object]:
    """The params with which a stage is run: all that its result depends on besides the inputs.

    With `run.track_code: false` the code's fingerprint is that of the code which made what is there.

    name: of the stage, `pipeline/stages/<name>.py`.
    folder: where it publishes.
    settings: what it uses of the config, as `settings` gives it.
    uses: a module that it imports by a name which the wildcards decide.
    watched: files outside of the run that it reads, by names that may hold braces; see `nameable`.
    seed: that of the run, or another one by the wildcards.
    """

    def recorded(wildcards) -> str:
        return recorded_code(Path(str(folder).format(**wildcards)))

    def of_both(wildcards) -> str:
        return value_digest([fingerprint(f"pipeline.stages.{name}"), fingerprint(uses(wildcards))])

    code = recorded
    if CONFIG.run.track_code:
        code = of_both if uses else fingerprint(f"pipeline.stages.{name}")
    beyond = [path for path in watched() if not nameable(path)] if watched else []
    return {
        "stage": name,
        "settings": settings if callable(settings) else verbatim(settings),
        "arguments": arguments,
        "seed": seed,
        "code": code,
        **({"watched": verbatim(states(beyond))} if beyond else {}),
    }


def verbatim(value: object) -> Callable[..., object]:
    """A param as it is: in text that no function gives, `{word}` would be a wildcard."""
    return lambda wildcards: value


def nameable(path: str) -> bool:
    """Whether a file can be an input: Snakemake takes `{word}` for a wildcard, and has no escape."""
    return not contains_wildcard(path)


def states(paths: list[str]) -> list[str]:
    """What of files that cannot be inputs tells of a change: their sizes and times."""
    found = [(path, Path(path)) for path in paths]
    return [
        f"{path} {file.stat().st_size} {file.stat().st_mtime_ns}"
        for path, file in found
        if file.exists()
    ]


@cache
def fingerprint(module: str) -> str:
    """The digest of its code and of all that it imports."""
    return code_fingerprint(module, CHECKOUT)


def arguments(wildcards, input) -> str:
    """The command-line arguments that name the artifacts among a job's inputs."""
    words: dict[str, list[str]] = {}
    for name, given in input.items():
        for path in [given] if isinstance(given, str) else given:
            if Path(path).name == MANIFEST:
                option, group, member = name.partition(".")
                words.setdefault(option, []).append(f"{member}={path}" if group else str(path))
    return " ".join(
        f"--{option.replace('_', '-')} {shlex.join(paths)}" for option, paths in words.items()
    )


def evaluation(detector: str) -> str:
    """The manifest of a detector's evaluation; the detector lies in `results/<run>/<detector>/detector/`."""
    return f"{RUN}/{detector}/evaluation/manifest.json"


def grouped(group: str, artifacts: dict[str, str]) -> dict[str, str]:
    """Several artifacts of one argument, as named inputs."""
    return {f"{group}.{name}": path for name, path in artifacts.items()}


def settings(*names: str, constants: dict[str, object] | None = None, **renamed: str) -> str:
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
            gpus = "{resources.gpu} GPUs, " if each.resources["gpu"].value else ""
            each.message += (
                f" ({gpus}{{threads}} CPUs, {{resources.mem_mb}} MB,"
                " {resources.runtime} minutes)"
            )
