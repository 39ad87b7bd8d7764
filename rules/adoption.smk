"""A run that was copied or moved here: Snakemake's records of it are made anew from the manifests."""

from snakemake.exceptions import InputFunctionException
from snakemake.iocontainers import Wildcards
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence

from pipeline.driver.adoption import (
    finished_stages,
    is_known,
    made,
    not_older,
    now_known,
)

KNOWN = Path(".snakemake") / "detsearch" / f"{CONFIG.run.name}.run"


def rule_of(folder: Path, stage: str):
    """The rule that publishes a stage's artifact in a folder, with its wildcards; None if no rule does."""
    path = str(folder / MANIFEST)
    for each in workflow.rules:
        pattern = each.output.get("manifest")
        if pattern and each.params.get("stage") == stage and pattern.match(path):
            return each, each.get_wildcards(path)
    return None


def inputs_of(each, wildcards: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """A rule's inputs now: the manifests by the stage's names of them, and all."""
    given = each.expand_input(Wildcards(fromdict=wildcards))[0]
    named = {
        name: path
        for name, paths in given.items()
        for path in ([paths] if isinstance(paths, str) else paths)
        if Path(path).name == MANIFEST
    }
    return named, list(map(str, given))


def further_params(each, wildcards) -> list[object]:
    """The `params` besides those of `stage`: they decide no result, and are as they are now."""
    further = [
        value
        for name, value in each.params.items()
        if name not in ("stage", "settings", "arguments", "seed", "code")
    ]
    return [value(wildcards) if callable(value) else value for value in further]


def adopt(anew: bool) -> None:
    """Note for every finished stage with what it was made; `anew`: in place of what was noted, too."""
    records = FilePersistence(nolock=True)
    for folder, manifest in finished_stages(RUN):
        found = rule_of(folder, manifest.stage)
        if found is None:
            continue
        each, wildcards = found
        outputs = list(map(str, each.expand_output(Wildcards(fromdict=wildcards))[0]))
        if not anew and all(records._read_record(path) for path in outputs):
            continue
        try:
            named, watched = inputs_of(each, wildcards)
        except InputFunctionException:  # with this config there is no such artifact
            continue
        origin = made(RUN, folder, manifest, named, watched)
        if origin.current:
            not_older(map(Path, outputs), map(Path, watched))
        further = further_params(each, Wildcards(fromdict=wildcards))
        record = MetadataRecord(
            input=list(origin.inputs),
            params=sorted(map(repr, [*origin.params, *further])),
            record_format_version=RECORD_FORMAT_VERSION,
            incomplete=False,
            input_checksums=dict(origin.checksums),
        )
        for path in outputs:
            records._write_record(path, record)


if workflow.is_main_process and RUN.is_dir() and (known := is_known(RUN, KNOWN)) is not True:
    try:
        adopt(anew=known is False)
        now_known(RUN, KNOWN)
    except ArtifactError as error:
        raise WorkflowError(str(error)) from None
