"""The whole config: its sections, and the one place where it is validated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, ValidationInfo, model_validator

from pipeline.config.ablations import AblationsConfig, Baseline, Baselines
from pipeline.config.base import Section
from pipeline.config.base_detector import BaseDetectorConfig
from pipeline.config.data import DataConfig
from pipeline.config.detector import DetectorConfig, Normalization, TestingConfig
from pipeline.config.evaluation import EvaluationConfig, ReportConfig, TrainingConfig
from pipeline.config.front import FrontConfig
from pipeline.config.further_bases import FurtherBases
from pipeline.config.hill_climb import HillClimbConfig
from pipeline.config.hit_detector import ScreeningConfig, SearchConfig
from pipeline.config.joint_tables import JointTablesConfig
from pipeline.config.optimization import Classification
from pipeline.config.plan import PlanConfig
from pipeline.config.pretrained import Pretrained
from pipeline.config.problems import describe
from pipeline.config.run import RunConfig
from pipeline.config.supernet import SupernetConfig
from pipeline.config.teacher_pool import TeacherPoolConfig
from pipeline.config.upgrade import UpgradeConfig
from pipeline.errors import DetSearchError
from pipeline.search_space.architecture import COMPONENTS

COARSEST_LEVEL = 128
"""Stride of the coarsest level of a searched one-stage detector, pixels."""


class ConfigError(DetSearchError):
    """A config that cannot be used; the message lists every mistake with its path."""


class Config(Section):
    """Every section of the config, in the order in which the workflow uses them."""

    run: RunConfig = RunConfig()
    data: DataConfig
    supernet: SupernetConfig = SupernetConfig()
    normalization: Normalization = Normalization()
    detector: DetectorConfig = DetectorConfig()
    testing: TestingConfig = TestingConfig()
    screening_pretraining: Classification = Field(
        default=Classification(epochs=10), description="the screening backbone supernet, α fixed"
    )
    screening: ScreeningConfig = ScreeningConfig()
    search_pretraining: Classification = Field(
        default=Classification(epochs=10), description="the search backbone supernet, α fixed"
    )
    search: SearchConfig = SearchConfig()
    pretraining: Classification = Field(
        default=Classification(epochs=300), description="the derived backbone"
    )
    training: TrainingConfig = TrainingConfig()
    base_detector: BaseDetectorConfig = BaseDetectorConfig()
    further_bases: FurtherBases = Field(default={})
    evaluation: EvaluationConfig = EvaluationConfig()
    baselines: Baselines = Field(default={})
    ablations: AblationsConfig = AblationsConfig()
    teacher_pool: TeacherPoolConfig = TeacherPoolConfig()
    hill_climb: HillClimbConfig = HillClimbConfig()
    front: FrontConfig = FrontConfig()
    joint_tables: JointTablesConfig = JointTablesConfig()
    upgrade: UpgradeConfig = UpgradeConfig()
    report: ReportConfig = ReportConfig()
    plan: PlanConfig = PlanConfig()

    @model_validator(mode="after")
    def _paths_fit(self) -> Config:
        for name, available in (
            ("screening_pretraining", len(self.screening.candidates)),
            ("screening", len(self.screening.candidates)),
            ("search_pretraining", self.screening.keep.backbone),
            ("search", max(self.screening.keep.model_dump().values())),
        ):
            paths = getattr(self, name).paths
            if paths is not None and paths > available:
                raise ValueError(f"{name}.paths is {paths}, but a layer has {available} candidates")
        return self

    @model_validator(mode="after")
    def _finalists_end_in_time(self, info: ValidationInfo) -> Config:
        trials = self.search.finalists
        # a study that changes `training.epochs` trains other networks by it, and no finalists
        changed = bool(info.context and info.context.get("changed"))
        cut = trials.networks > 1 and trials.schedule == "beginning"
        if not changed and cut and trials.epochs > self.training.epochs:
            raise ValueError(
                f"search.finalists.epochs is {trials.epochs}, but a beginning of training.epochs "
                f"{self.training.epochs} has at most so many: lower it, or take schedule: own"
            )
        return self

    @model_validator(mode="after")
    def _latency_is_measured(self) -> Config:
        for name in ("search", "hill_climb"):
            if getattr(self, name).cost == "latency" and self.evaluation.latency is None:
                raise ValueError(
                    f"{name}.cost is latency, but evaluation.latency is null: say on what it is measured"
                )
        return self

    @model_validator(mode="after")
    def _levels_have_statistics(self) -> Config:
        # a pyramid level of one pixel, of one image, has no variance
        if self.supernet.one_stage and max(self.detector.image_scale) <= COARSEST_LEVEL:
            for name in ("screening", "search", "training"):
                if getattr(self, name).batch_size == 1:
                    raise ValueError(
                        f"{name}.batch_size is 1, but the coarsest level of a retinanet is one pixel of "
                        f"images up to {COARSEST_LEVEL} pixels, and its batch normalisation needs two: "
                        "take larger batches or images"
                    )
        return self

    @model_validator(mode="after")
    def _rows_differ(self) -> Config:
        # names of the tables' other rows
        taken = {
            "hit_detector",
            "one_space",
            "combined",
            *(f"searched_{part}" for part in COMPONENTS),
        }
        for name in sorted(taken & set(self.baselines)):
            raise ValueError(f"baselines.{name}: the tables use this name; choose another")
        for name in sorted((taken | set(self.baselines)) & set(self.ablations.mixed)):
            raise ValueError(f"ablations.mixed.{name}: another row of Table 5 has this name")
        return self

    @property
    def named_baselines(self) -> dict[str, Baseline]:
        """The baselines that were not taken away, by name."""
        return {name: baseline for name, baseline in self.baselines.items() if baseline}

    @property
    def pretrained(self) -> dict[str, Pretrained]:
        """The backbone weights that networks start from, by the section that gives them (`baselines/r18`)."""
        base = self.base_detector
        given = {
            "base_detector": base.pretrained if base.source == "zoo" else None,
            "teacher_pool": self.teacher_pool.pretrained,
            **{f"baselines/{name}": each.pretrained for name, each in self.named_baselines.items()},
            **{f"bases/{name}": each.pretrained for name, each in self.further_bases.items()},
        }
        return {place: each for place, each in given.items() if each}


def load_config(values: Mapping[str, Any]) -> Config:
    """Validate a config, as YAML gives it.

    Raises:
        ConfigError: lists every mistake at once: its path, what is wrong, what is allowed, what is there.
    """
    if (path := _without_utf8(values)) is not None:
        raise ConfigError(
            f"1 mistake in the config:\n  - {path}: half of a surrogate pair is no text"
        )
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        lines = [describe(problem, Config) for problem in error.errors()]
        noun = "mistake" if len(lines) == 1 else "mistakes"
        raise ConfigError(
            f"{len(lines)} {noun} in the config:\n" + "\n".join(f"  - {line}" for line in lines)
        ) from None


def _without_utf8(value: Any) -> str | None:
    """Where a text in the config has no form in UTF-8, as a dotted path; None where all have one."""
    if isinstance(value, str):
        return "" if any("\ud800" <= sign <= "\udfff" for sign in value) else None
    pairs: Any = ()
    if isinstance(value, Mapping):
        pairs = value.items()
    elif isinstance(value, list | tuple):
        pairs = enumerate(value)
    for key, inner in pairs:
        for part in (key, inner):
            if (found := _without_utf8(part)) is not None:
                return ascii(key).strip("'") + (f".{found}" if found else "")
    return None


def write_schema(path: Path) -> None:
    """Write the JSON schema that editors use to complete and check config files."""
    path.write_text(json.dumps(Config.model_json_schema(), indent=2) + "\n")


if __name__ == "__main__":
    write_schema(Path(__file__).parents[2] / "config" / "schema.json")
