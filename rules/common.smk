"""What all rules use: the validated config, where results go, a stage's params, what a job asks for.

Rules name the artifacts that their stages read by their manifests: `pipeline/driver/inputs.py`.
"""

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

from pipeline.artifacts.digest import value_digest
from pipeline.artifacts.fingerprint import code_fingerprint
from pipeline.artifacts.manifest import MANIFEST, recorded_code
from pipeline.config.files import read_config_file
from pipeline.config.root import load_config
from pipeline.config.sections import changed, sections
from pipeline.driver.inputs import arguments, grouped, manifests, states
from pipeline.driver.layout import Layout, compared_detectors, seed_evaluations
from pipeline.driver.resources import JobResources, show_resources
from pipeline.driver.shell import STAGE, prefix, require_names
from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import COMPONENTS

PYTHON = Path(sys.executable).parent

try:
    # only to refuse what Snakemake reads in another way, or evaluates
    for _path in filter(Path.is_file, map(Path, workflow.configfiles)):
        read_config_file(_path)
    CONFIG = load_config(config)
    require_names(CHECKOUT, PYTHON, Path.cwd())
except DetSearchError as error:
    raise WorkflowError(str(error)) from None

LAYOUT = Layout(CONFIG)
RUN, HIT, JOINT = LAYOUT.folder, LAYOUT.hit, LAYOUT.joint
LOGS = RUN / "logs"
evaluation = LAYOUT.evaluation

# The sections of every stage that builds a detector.
DETECTOR = ("normalization", "detector", "testing")

# Resources of a stage that trains, and of one that does not; CPU cores beside some of the GPUs.
RESOURCES = JobResources(CONFIG.run)
heavy, light, cpus_of = RESOURCES.heavy, RESOURCES.light, RESOURCES.cpus

shell.prefix(
    prefix(CHECKOUT, PYTHON, RUN, CONFIG.run, scheduled=not workflow.is_main_process)
    .replace("{", "{{")
    .replace("}", "}}")
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


@cache
def fingerprint(module: str) -> str:
    """The digest of its code and of all that it imports."""
    return code_fingerprint(module, CHECKOUT)


def settings(*names: str, changes: dict[str, object] | None = None, **others: object) -> str:
    """The config sections that a stage uses, as JSON: what Snakemake tracks is what it gets.

    changes: values in place of the config's, by dotted path.
    others: see `sections`.
    """
    return sections(changed(CONFIG, changes) if changes else CONFIG, *names, **others)


def complete_rules() -> None:
    """What the rules share: the environment of each that runs a program, and a message that tells its resources."""
    for each in workflow.rules:
        if each.shellcmd:
            each.conda_env = str(CHECKOUT / "envs/environment.yaml")
    show_resources(workflow.rules, CONFIG.run)
