"""What was copied, moved or put back here: Snakemake's records of it are made anew from the manifests."""

from snakemake.exceptions import InputFunctionException
from snakemake.iocontainers import Wildcards
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence

from pipeline.driver.adoption import (
    finished_stages,
    further_params,
    is_as_noted,
    is_known,
    made,
    not_older,
    now_known,
    rule_of,
)

KNOWN = Path(".snakemake") / "detsearch" / f"{CONFIG.run.name}.run"


def adopt(anew: bool) -> None:
    """Note for every finished stage with what it was made, where that is not noted; `anew`: everywhere."""
    records = FilePersistence(nolock=True)
    stages = dict(finished_stages(RUN))
    for folder, manifest in stages.items():
        each = rule_of(workflow.rules, folder, manifest.stage)
        if each is None:
            continue
        wildcards = Wildcards(fromdict=each.get_wildcards(str(folder / MANIFEST)))
        outputs = list(map(str, each.expand_output(wildcards)[0]))
        noted = [records._read_record(path) for path in outputs]
        if not anew and all(
            record and is_as_noted(RUN, folder, manifest, stages, (record.params, record.input))
            for record in noted
        ):
            continue
        try:
            inputs = each.expand_input(wildcards)[0]
        except InputFunctionException:  # with this config there is no such artifact
            continue
        watched = list(map(str, inputs))
        origin = made(RUN, folder, manifest, dict(manifests(inputs)), watched)
        if origin.current:
            not_older(map(Path, outputs), map(Path, watched))
        further = further_params(each.params, wildcards, manifest)
        record = MetadataRecord(
            input=list(origin.inputs),
            params=sorted(map(repr, [*origin.params, *further])),
            record_format_version=RECORD_FORMAT_VERSION,
            incomplete=False,
            input_checksums=dict(origin.checksums),
        )
        for path in outputs:
            records._write_record(path, record)


if workflow.is_main_process and RUN.is_dir():
    try:
        known = is_known(RUN, KNOWN)
        adopt(anew=known is False)
        if not known:
            now_known(RUN, KNOWN)
    except ArtifactError as error:
        raise WorkflowError(str(error)) from None
