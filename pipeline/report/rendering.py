"""Sections as files: an HTML page without scripts or links to load, its figures and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.report.characters import well_formed
from pipeline.report.inputs import Run
from pipeline.report.scatter import KINDS
from pipeline.report.section import Section

FINGERPRINT_FILES = ("page.html.j2",)


def page_files(
    file: str, run: Run, sections: Sequence[Section], *, title: str, about: str
) -> dict[str, bytes]:
    """The files of a page.

    Args:
        file: name of the page's own.
        run: what it shows.
        sections: from top to bottom.
        title: of the browser's tab, behind the run's name.
        about: what the page shows, the beginning of a sentence that ends with the dataset.

    Returns:
        Content by path relative to the page's folder: the page, `figures/*.svg`, `tables/*.csv`.
    """
    manifests = run.manifests.values()
    page = (
        _environment()
        .get_template(FINGERPRINT_FILES[0])
        .render(
            name=run.name,
            title=title,
            about=about,
            dataset=run.dataset,
            created=max(manifest.created for manifest in manifests),
            devices=sorted({manifest.device for manifest in manifests}),
            sections=sections,
            kinds=[kind.id for kind in KINDS],
        )
    )
    files = {file: well_formed(page).encode()}
    for section in sections:
        files |= {f"figures/{figure.name}.svg": figure.file() for figure in section.figures}
        files |= {f"tables/{table.name}.csv": table.csv() for table in section.tables}
    return files


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
