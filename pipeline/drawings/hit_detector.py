"""Hit-Detector's tables and figures: docs/methods/ablations.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.artifacts.files import json_bytes
from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.config.ablations import ExamplesConfig, ReplacementConfig
from pipeline.config.base import NoSettings, Section
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.detection.detector_folder import METRICS
from pipeline.drawings.detector_tables import DETECTORS
from pipeline.drawings.drawing import Drawing, Drawn, Given
from pipeline.errors import DetSearchError
from pipeline.report.ablations import (
    Replacement,
    Screened,
    replacement_study,
    sparsity_study,
)
from pipeline.report.architecture import draw_architecture
from pipeline.report.ground_truth import Training, ground_truth_table
from pipeline.report.inputs import History, Metrics, SubSearchSpace, read_as
from pipeline.report.random_study import STUDY, Name, Study, Trained, random_study
from pipeline.report.side_by_side import evaluated_side_by_side
from pipeline.report.tables import Column, Table
from pipeline.search_space.architecture import ARCHITECTURE, COMPONENTS, Architecture, ComponentName


class Replacing(Section):
    """The settings of Figure 3."""

    replacement: ReplacementConfig


class Screening(Section):
    """The settings of Figure 4."""

    component: ComponentName


class Mixing(Section):
    """The settings of Table 5: by mixed detector and component, the detector that it is taken from."""

    mixed: dict[str, dict[str, str]]


def table5(given: Given[Mixing]) -> Drawn:
    """Parts in the baseline; in a mixed detector's row stand the detectors that its parts are of."""
    drawn = DETECTORS.draw(Given(given.name, NoSettings(), given.one, given.several))
    columns = [column.key for column in drawn.table.columns]
    places = {name: columns.index(f"searched_{name}") for name in COMPONENTS}
    rows = [list(row) for row in drawn.table.rows]
    for row in rows:
        for component, source in given.settings.mixed.get(str(row[0]), {}).items():
            row[places[component]] = "x" if source == "hit_detector" else source
    return replace(drawn, table=replace(drawn.table, rows=rows))


def figure3(given: Given[Replacing]) -> Drawn:
    """What was replaced, from the architectures, and the AP, from the evaluations."""
    settings, evaluations = given.settings.replacement, given.several["evaluations"]
    replacements = []
    for name, folder in given.several["architectures"].items():
        origin = Architecture.load(folder / ARCHITECTURE).provenance
        metrics = read_as(evaluations[name] / "metrics.json", Metrics)
        replacements.append(
            Replacement(origin["component"], origin["layer"], origin["operation"], metrics.AP)
        )
    return Drawn(*replacement_study(replacements, settings.operations, settings.base))


def figure4(given: Given[Screening]) -> Drawn:
    """Screenings under several regularisers; the manifest of each says which one was its own."""
    screened = []
    for folder in given.several["screenings"].values():
        config = Manifest.load(folder / MANIFEST).config["screening"]
        screened.append(
            Screened(
                config["regularizer"],
                config["mu"],
                read_as(folder / "sub_search_space.json", SubSearchSpace),
                read_as(folder / "history.json", History),
            )
        )
    return Drawn(*sparsity_study(given.settings.component, screened))


def random_networks(given: Given[NoSettings]) -> Drawn:
    """The searched detector, random ones and a plain one of its cost, from evaluations `<network>.<seed>`.

    Raises:
        DetSearchError: a detector was evaluated on images without objects, and has no AP.
    """
    trainings: dict[str, list[Metrics]] = {}
    for name, folder in given.several["detectors"].items():
        trainings.setdefault(name.partition(".")[0], []).append(read_as(folder / METRICS, Metrics))
    study = Study(networks=tuple(_trained(name, each) for name, each in trainings.items()))
    return Drawn(
        *random_study(given.name, study), {STUDY: json_bytes(study.model_dump(mode="json"))}
    )


def _trained(name: str, trainings: Sequence[Metrics]) -> Trained:
    scores = [
        (each.AP, each.AP50) for each in trainings if each.AP is not None and each.AP50 is not None
    ]
    if len(scores) < len(trainings):
        raise DetSearchError(f"{name} has no AP: there is no object in the evaluated images")
    kinds: dict[str, Name] = {"searched": "searched", "plain": "plain"}
    return Trained(
        name=name,
        kind=kinds.get(name, "random"),
        macs=trainings[0].macs,
        params=trainings[0].params,
        AP=tuple(ap for ap, _ in scores),
        AP50=tuple(ap50 for _, ap50 in scores),
    )


def figure5(given: Given[NoSettings]) -> Drawn:
    """The searched architecture, with the margin of each layer over its runner-up."""
    architecture = Architecture.load(given.one["architecture"] / ARCHITECTURE)
    margins = architecture.provenance["margins"]
    rows = [
        [
            component,
            name,
            str(block.operation),
            block.channels,
            block.stride,
            margins[component][name],
        ]
        for component in COMPONENTS
        for name, block in architecture.blocks(component).items()
    ]
    names = ("component", "layer", "operation", "channels", "stride", "margin")
    table = Table(given.name, [Column(name, name) for name in names], rows)
    return Drawn(table, draw_architecture(architecture, margins))


class Examples(Section):
    """The settings of Figure 6."""

    examples: ExamplesConfig
    seed: int


def figure6(given: Given[Examples]) -> Drawn:
    """What is on some images, and what each detector found there (appendix 6.3)."""
    index = DatasetIndex.load(given.one["data"] / FILE_NAME)
    chosen = given.settings.examples
    return Drawn(
        *evaluated_side_by_side(
            given.name,
            index.split(index.evaluation_split),
            given.several["detectors"],
            images=chosen.images,
            threshold=chosen.score_threshold,
            seed=given.settings.seed,
        )
    )


def ground_truth(given: Given[NoSettings]) -> Drawn:
    """A row for each training of each architecture, from evaluations `<number>.<seed>`."""
    architectures = {
        number: Architecture.load(folder / ARCHITECTURE)
        for number, folder in given.several["architectures"].items()
    }
    trainings = []
    for name, folder in given.several["evaluations"].items():
        number, _, seed = name.partition(".")
        trainings.append(
            Training(
                number=int(number),
                architecture=architectures[number],
                seed=int(seed),
                metrics=read_as(folder / METRICS, Metrics),
                version=Manifest.load(folder / MANIFEST).version,
            )
        )
    return Drawn(*ground_truth_table(given.name, trainings))


DRAWINGS = {
    **{f"hit_table{number}": DETECTORS for number in range(1, 7)},
    "hit_table5": Drawing(table5, Mixing),
    "hit_apart": DETECTORS,
    "hit_random": Drawing(random_networks, NoSettings),
    "hit_ground_truth": Drawing(ground_truth, NoSettings),
    "hit_figure3": Drawing(figure3, Replacing),
    "hit_figure4": Drawing(figure4, Screening),
    "hit_figure5": Drawing(figure5, NoSettings),
    "hit_figure6": Drawing(figure6, Examples),
}
