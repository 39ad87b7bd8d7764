"""The config as a file for people: sections in their order, a comment where a value was chosen."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from pipeline.config.files import load_config_files
from pipeline.config.root import Config
from pipeline.console import counted
from pipeline.own_config.choices import ANCHOR, Choices
from pipeline.own_config.commands import front_command

COMMENT = 32
"""Column at which comments begin, where the line leaves room."""
LOG_INTERVAL = 20
"""Steps: on a busy CPU a step takes seconds, and a person waits for the first line."""
FULL = 8.0
"""Objects an image from which twice as many anchors and RoIs are in the losses."""


def config_text(choices: Choices, out: Path | None) -> str:
    """The whole file.

    Args:
        choices: what it says.
        out: its name, for the command in its head.
    """
    parts = (_head(choices, out), _run(choices), _data(choices), _images(choices))
    parts += (_base(choices), _pool(choices), _evaluation(choices), _front(choices), _plan(choices))
    return "\n".join(line for part in parts for line in part) + "\n"


def validated(text: str) -> Config:
    """The config as a run reads it, on top of the default one.

    Raises:
        ConfigError: lists every mistake.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config_files([path])


def scalar(text: str) -> str:
    """A text as YAML, without quotes where it needs none, in one line."""
    shown = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=math.inf)
    if shown == f"[{text}]\n":
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=math.inf).strip()


def rounded(value: float) -> str:
    """A number above 0 as people say it: with a decimal below ten, if that is not 0."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}".removesuffix(".0")


def _commented(code: str, comment: str = "") -> str:
    return f"{code:<{max(COMMENT, len(code) + 2)}}# {comment}" if comment else code


def _comment(text: str) -> str:
    """A text from outside, as it may stand in a comment."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def _flow(value: Any) -> str:
    """Numbers, texts and lists of them in one line."""
    return scalar(value) if isinstance(value, str) else json.dumps(value)


def _head(choices: Choices, out: Path | None) -> Iterator[str]:
    survey = choices.survey
    splits = ", ".join(f"{split} {number:,}" for split, number in survey.images.items())
    where = "one GPU" if choices.machine.device == "cuda" else "the CPU"
    yield (
        f"# A front of many detectors out of one training, on {where}: docs/howto/front.md. Written by "
        "`python -m pipeline.begin`;"
    )
    yield "# what is not here is as in config/config.yaml, which shows every key."
    yield (
        f"# Data: {counted(sum(survey.images.values()), 'image')} ({splits}), the median one of "
        f"{survey.longest} × {survey.shortest} pixels;"
    )
    yield (
        f"# {counted(len(survey.objects), 'object')} of "
        f"{counted(len(survey.classes), 'class', 'classes')}."
    )
    yield f"# {_comment(front_command(out or Path('FILE'), choices.machine.cpus))}"


def _run(choices: Choices) -> Iterator[str]:
    machine = choices.machine
    yield "run:"
    yield _commented(f"  name: {scalar(choices.name)}", f"results go to results/{choices.name}/")
    yield "  methods: [front]"
    yield _commented(
        f"  device: {machine.device}",
        "sizes and lengths below are for it; with a GPU write the config anew"
        if machine.device == "cpu"
        else "",
    )
    yield _commented(
        f"  cpus: {machine.cpus}", "cores of a training; 1 where other work keeps them busy"
    )
    if machine.bf16:
        yield _commented("  precision: bf16", "of convolutions: half the memory of float32")
    elif machine.device == "cuda" and machine.gpu is None:
        yield _commented("  precision: float32", "bf16 on GPUs since 2020: half the memory")


def _data(choices: Choices) -> Iterator[str]:
    source = choices.data["source"]
    yield "data:"
    yield "  detection:"
    yield f"    source: {source}"
    yield _commented(f"    {source}:", "relative paths start in the folder in which Snakemake runs")
    for key, value in choices.data[source].items():
        if not isinstance(value, Mapping):
            yield f"      {key}: {_flow(value)}"
            continue
        inner = ", ".join(f"{name}: {_flow(each)}" for name, each in value.items())
        told = "shares of the images, cut from train" if key == "split" else ""
        yield _commented(f"      {key}: {{{inner}}}", told)
    if "test" not in choices.survey.images:
        yield "      # without a test split detectors are judged on val, on which the front is chosen"
    start = "the pool starts from `pretrained`" if choices.weights else "all start from scratch"
    yield _commented("  classification: {source: none}", start)


def _images(choices: Choices) -> Iterator[str]:
    sizes, anchor = choices.sizes, choices.anchor_scale
    longest, shortest = sizes.largest
    factor = 2 if choices.survey.objects_per_image >= FULL else 1
    rpn, roi = (samples * factor for samples in choices.recipe.samples)
    yield "supernet:"
    yield _commented(
        f"  input_size: {_flow(sizes.input_size)}",
        f"height and width at which costs are counted: {longest} × {shortest}, in multiples of 32",
    )
    if anchor != ANCHOR:
        yield _commented(f"  anchor_scale: {anchor}", "of the base, as that of the pool")
    yield "detector:"
    yield _commented(f"  image_scale: {_flow(sizes.largest)}", "longest and shortest side")
    yield _commented(
        "  flip: 0.5",
        "0.0 where a mirrored image means something else: text, digits, left and right",
    )
    yield _commented(
        "  # vertical_flip: 0.5",
        "where images have no upper side: from the air, under a microscope",
    )
    yield f"  rpn_samples: {rpn}"
    yield _commented(
        f"  roi_samples: {roi}",
        f"an image with objects holds {rounded(choices.survey.objects_per_image)} on average",
    )


def _optimizer(choices: Choices, phase: int, epochs: int) -> str:
    wanted = choices.recipe
    # a training of few steps is not all warm-up
    warmup = min(wanted.warmups[phase], epochs * choices.lengths.steps // 10)
    return f"{{{wanted.optimizer.format(lr=wanted.rates[phase], warmup=warmup)}}}"


def _resolutions(choices: Choices) -> str:
    return f"resolutions: {_flow(choices.sizes.resolutions)}"


def _workers(choices: Choices, indent: str) -> Iterator[str]:
    if choices.machine.device == "cuda":
        yield _commented(
            f"{indent}workers: {choices.machine.workers}", "processes that load images"
        )


def _base(choices: Choices) -> Iterator[str]:
    lengths = choices.lengths
    told = (
        "a network on its own, for comparison: `front: {stock: [base]}` trains it"
        if choices.weights
        else "the pool grows from it"
    )
    yield _commented("base_detector:", told)
    yield from (f"  {key}: {_flow(value)}" for key, value in choices.recipe.base.items())
    if choices.weights:
        yield _pretrained(choices.weights)
    yield "  training:"
    yield _commented(f"    epochs: {lengths.base}", f"{lengths.base * lengths.steps:,} steps")
    yield f"    batch_size: {lengths.batch}"
    yield _commented(f"    log_interval: {LOG_INTERVAL}", "steps between two lines of the log")
    yield from _workers(choices, "    ")
    yield f"    {_resolutions(choices)}"
    if choices.weights:
        yield f"    optimizer: {_optimizer(choices, 0, lengths.base)}"


def _pretrained(weights: str) -> str:
    return f"  pretrained: {{checkpoint: {scalar(weights)}, frozen_stages: 1, norm_eval: false}}"


def _pool(choices: Choices) -> Iterator[str]:
    wanted, lengths = choices.recipe, choices.lengths
    yield "teacher_pool:"
    if choices.weights:
        yield "  grown_from_base: false"
    yield _commented("  cpus: null", "as run.cpus")
    yield "  space:"
    yield from (f"    {key}: {_flow(value)}" for key, value in wanted.space.items())
    if choices.anchor_scale != ANCHOR or choices.weights:
        yield _commented(
            f"    anchor_scale: {choices.anchor_scale}",
            "side of anchors, in a feature map's strides",
        )
    yield _commented(
        f"    {_resolutions(choices)}",
        "3/8, 1/2, 3/4 and all of the sides: a factor of seven in pixels",
    )
    yield "  phases:"
    for phase, epochs in enumerate(lengths.phases):
        what = "all depths and widths" if phase else "the largest net alone"
        yield _commented(f"    - epochs: {epochs}", f"{what}: {epochs * lengths.steps:,} steps")
        yield f"      batch_size: {lengths.batch}"
        yield f"      log_interval: {LOG_INTERVAL}"
        yield from _workers(choices, "      ")
        yield f"      least_depths: {_flow(wanted.depths[phase])}"
        yield f"      widths: {_flow(wanted.widths if phase else wanted.widths[-1:])}"
        yield f"      optimizer: {_optimizer(choices, phase, epochs)}"
    if choices.weights:
        yield _pretrained(choices.weights)
    images = min(wanted.recalibration, choices.survey.images["train"])
    yield f"  recalibration: {{images: {images}, batch_size: {min(16, images)}}}"


def _evaluation(choices: Choices) -> Iterator[str]:
    on_gpu = choices.machine.device == "cuda"
    yield "evaluation:"
    if on_gpu:
        yield "  batch_size: 8"
        yield f"  workers: {choices.machine.workers}"
    yield _commented(
        f"  latency: {{runtime: onnxruntime, device: cpu, threads: {4 if on_gpu else 1}}}",
        "on what the detectors will be used; cuda: onnxruntime-gpu",
    )


def _front(choices: Choices) -> Iterator[str]:
    wanted, cpus = choices.recipe, choices.machine.cpus
    yield "front:"
    yield from (f"  {key}: {_flow(value)}" for key, value in wanted.front.items())
    if choices.machine.device == "cpu" and cpus > 2:
        yield _commented(f"  shards: {cpus}", "jobs of a generation, a core each")
    if choices.survey.images["val"] > wanted.judged:
        yield _commented(
            f"  val_images: {wanted.judged}",
            f"of the {choices.survey.images['val']:,} of val, to compare subnets on",
        )
    if not choices.weights:
        yield _commented(
            "  stock: [base]", "beside the front; as it was before the pool grew from it"
        )
    yield _commented("  # licences: {data: CC BY 4.0}", "of the images, for the model cards")


def _plan(choices: Choices) -> Iterator[str]:
    if choices.machine.device == "cuda":
        yield _commented(
            "# plan: {gpu_gmacs: 4000}",
            "of a GPU of 24 GB, assumed; without it `plan` counts with an H200",
        )
