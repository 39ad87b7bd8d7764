"""What the report reads of a run: the stages' files, typed, and the manifests they descend from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.lineage import descended_from
from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.artifacts.typed import read_as
from pipeline.config.ablations import ExamplesConfig
from pipeline.data.index import FILE_NAME, DatasetIndex
from pipeline.deploy.latency import Latencies, ModelLatency
from pipeline.deploy.together import LATENCIES, TimedTogether
from pipeline.search_space.architecture import ARCHITECTURE, COMPONENTS, Architecture
from pipeline.search_space.names import OperationName

DATASET = "data/detection"
CLASSIFICATION = "data/classification"
SPLIT_NAMES = {"val": "validation", "test": "test"}
SCREENING = "hit_detector/screening"
SEARCH = "hit_detector/search"
DETECTOR = "hit_detector/detector"
EVALUATION = "hit_detector/evaluation"
LATENCY = "latency"


class _Read(BaseModel):
    # files may gain keys that this page does not show
    model_config = ConfigDict(extra="ignore", frozen=True)


class ComponentCost(_Read):
    """Counts of one component; `paper_flops` in the papers' convention."""

    params: int
    macs: int
    paper_flops: int


class Metrics(_Read):
    """`metrics.json` of an evaluation: AP and AR are fractions, None without objects to find."""

    AP: float | None
    AP50: float | None
    AP75: float | None
    APS: float | None
    APM: float | None
    APL: float | None
    AR1: float | None
    AR10: float | None
    AR100: float | None
    ARS: float | None
    ARM: float | None
    ARL: float | None
    AP_per_class: dict[str, float | None]
    params: int
    macs: int
    components: dict[str, ComponentCost]
    input_size: tuple[PositiveInt, PositiveInt]
    proposals: int | None
    images: int


class Speed(_Read):
    """`speed.json`: median seconds of one image, one at a time; format 1 has the mean and no quartiles."""

    seconds_per_image: float
    lower_quartile: float | None = None
    upper_quartile: float | None = None
    device: str
    threads: int
    images: int


def measured(record: Latencies, models: Sequence[ModelLatency]) -> Speed:
    """The speed of a detector that was timed in turns with others; of several the mean.

    Args:
        record: of the measurement.
        models: one or more of its detectors.
    """
    return Speed(
        seconds_per_image=fmean(each.median for each in models) / 1e3,
        lower_quartile=fmean(each.lower_quartile for each in models) / 1e3,
        upper_quartile=fmean(each.upper_quartile for each in models) / 1e3,
        device=record.device,
        threads=record.threads,
        images=record.images,
    )


class Detection(_Read):
    """One detection in COCO's result format; `bbox` is x, y, width, height in pixels."""

    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    score: float


class Removal(_Read):
    """A candidate that a screening removed; epochs and iterations count from 1."""

    epoch: int
    iteration: int
    operation: OperationName
    score: float


class SubSearchSpace(_Read):
    """`sub_search_space.json`: `kept` in order of falling score, `removed` in order of time."""

    kept: tuple[OperationName, ...] = Field(min_length=1)
    scores: dict[OperationName, float]
    removed: tuple[Removal, ...]


class LayerScores(_Read):
    """Probability of each operation in one layer."""

    name: str
    probabilities: tuple[float, ...]


class ComponentScores(_Read):
    """The searched layers of one component; `operations` are the columns."""

    operations: tuple[OperationName, ...]
    layers: tuple[LayerScores, ...]


class Scores(_Read):
    """`scores.json` of the search."""

    components: dict[str, ComponentScores]


class ScoredPath(_Read):
    """A path that a search over paths scored."""

    macs: int
    score: float


class PathRecord(_Read):
    """`paths.json` of a search over paths, in the order in which they were scored."""

    strategy: str
    score: str
    max_gmacs: float | None
    paths: tuple[ScoredPath, ...] = Field(min_length=1)


class History(_Read):
    """`history.json`: flat records; keys that do not apply are absent."""

    records: tuple[dict[str, float], ...]

    def series(self, key: str) -> tuple[list[float], list[float]]:
        """Iterations and values of the records that hold `key`."""
        found = [(record["iteration"], record[key]) for record in self.records if key in record]
        return [x for x, _ in found], [y for _, y in found]


class Accuracy(_Read):
    """`metrics.json` of a pretraining."""

    accuracy: float


@dataclass(frozen=True)
class Run:
    """A run's folder, `results/<run>`; every property reads its file once, when it is asked for.

    Properties raise `ArtifactError` when a file is missing or is not in its format.

    Attributes:
        path: the folder.
        beside: folders, relative to it, of what the page shows besides the root.
        seeds: evaluations of the runs with other seeds and of this one, by `<seed>.<detector>`.
        examples: on which images detectors are drawn side by side.
        root: folder, relative to it, of what the page is about: the searched detector's evaluation, or the
            front.
    """

    path: Path
    beside: tuple[str, ...] = ()
    seeds: Mapping[str, Path] = field(default_factory=dict)
    examples: ExamplesConfig = field(default_factory=ExamplesConfig)
    root: str = EVALUATION

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.absolute().name

    @cached_property
    def dataset(self) -> DatasetIndex:
        """The detection dataset."""
        path = self.path / DATASET / FILE_NAME
        try:
            return DatasetIndex.load(path)
        except OSError as error:
            raise ArtifactError(f"{path} cannot be used: {error}") from error

    @cached_property
    def chance(self) -> float | None:
        """Accuracy by chance on the classification dataset: one over its classes; None without one."""
        path = self.path / CLASSIFICATION / FILE_NAME
        return 1 / len(DatasetIndex.load(path).classes) if path.exists() else None

    @property
    def evaluated(self) -> str:
        """What the evaluation's split is called in a sentence: validation or test."""
        return SPLIT_NAMES[self.dataset.evaluation_split]

    @cached_property
    def metrics(self) -> Metrics:
        """Accuracy and cost of the searched detector."""
        return read_as(self.path / EVALUATION / "metrics.json", Metrics)

    @cached_property
    def timed(self) -> TimedTogether | None:
        """The run's detectors timed in turns; None where the run did not do so."""
        path = self.path / LATENCY / LATENCIES
        return read_as(path, TimedTogether) if LATENCY in self.beside else None

    def speed(self, evaluation: str) -> Speed | None:
        """How long an evaluated detector takes: in turns with the others, where the run timed them so.

        Args:
            evaluation: its folder, relative to the run's.

        Returns:
            None where others were timed in turns, and this one was not.
        """
        if self.timed is None:
            return read_as(self.path / evaluation / "speed.json", Speed)
        times = self.timed.find(PurePosixPath(evaluation).parent.as_posix())
        record = self.timed.latencies
        return measured(record, [times]) if record and times else None

    @cached_property
    def architecture(self) -> Architecture:
        """The searched detector's architecture."""
        return Architecture.load(self.path / DETECTOR / ARCHITECTURE)

    @cached_property
    def scores(self) -> Scores:
        """The search's probabilities."""
        return read_as(self.path / SEARCH / "scores.json", Scores)

    @property
    def searched(self) -> bool:
        """Whether a search of Hit-Detector is among what the page descends from."""
        return SEARCH in self.manifests

    @property
    def scores_paths(self) -> bool:
        """Whether the search scored paths, in place of the differentiable one."""
        return self.manifests[SEARCH].stage == "search_paths"

    @cached_property
    def paths(self) -> PathRecord:
        """The paths that a search over paths scored."""
        return read_as(self.path / SEARCH / "paths.json", PathRecord)

    @cached_property
    def spaces(self) -> Mapping[str, SubSearchSpace]:
        """By component, its sub search space: the result of its screening, where there was one."""
        return {
            component: read_as(
                self.path / SCREENING / component / "sub_search_space.json", SubSearchSpace
            )
            for component in COMPONENTS
        }

    @cached_property
    def screened(self) -> bool:
        """Whether sub search spaces were screened, and not stated in the config."""
        made = self.manifests.get(f"{SCREENING}/{COMPONENTS[0]}")
        return made is not None and "screening" in made.config

    def history(self, folder: str) -> History:
        """The curves of the stage that published in `folder`, relative to the run."""
        return read_as(self.path / folder / "history.json", History)

    def accuracy(self, folder: str) -> float:
        """The validation accuracy of a pretraining, a fraction."""
        return read_as(self.path / folder / "metrics.json", Accuracy).accuracy

    @cached_property
    def manifests(self) -> Mapping[str, Manifest]:
        """The manifests of all that the page shows and of what that descends from, each after its inputs.

        By folder, relative to the run's.
        """
        return descended_from(self.path, self.root, *self.beside)

    @property
    def weighed(self) -> str:
        """What λ of the search is per: its settings name the cost where that is not MACs."""
        search = self.setting(SEARCH, "search")
        return "millisecond" if search.get("cost") == "latency" else "GMAC"

    def setting(self, folder: str, *keys: str) -> Any:
        """A value of the config that the stage in `folder` ran with, as its manifest tells.

        Raises:
            ArtifactError: the config holds no such key.
        """
        value: Any = self.manifests[folder].config
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                path = self.path / folder / MANIFEST
                raise ArtifactError(f"{path}: the config has no key {'.'.join(keys)}")
            value = value[key]
        return value
