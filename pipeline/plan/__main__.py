"""Print what a run will take: computation, memory and disk of every stage, and the time of all.

    python -m pipeline.plan --configfile config/paper.yaml

Nothing is trained, and no dataset is read where the section `plan` states its size.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.config.arguments import text_of
from pipeline.config.files import load_config_files, parse_config
from pipeline.config.root import load_config
from pipeline.console import run_program
from pipeline.errors import DetSearchError
from pipeline.plan.cards import card_advice
from pipeline.plan.images import count_images
from pipeline.plan.stages import planned_stages
from pipeline.plan.table import lever_table, plan_table, speed


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    import torch

    parser = argparse.ArgumentParser(
        prog="python -m pipeline.plan",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        default=[],
        help="as with snakemake, on top of the default",
    )
    parser.add_argument("--config-json", help="in its place the whole config: JSON, or @FILE")
    arguments = parser.parse_args(argv)
    try:
        if arguments.config_json is not None:
            config = load_config(parse_config(text_of(arguments.config_json)))
        else:
            config = load_config_files(arguments.configfile)
        images = count_images(config)
        devices = speed(config, gpu_there=torch.cuda.is_available())
        print(plan_table(planned_stages(config, images), devices, config, images))
        if devices.device == "GPU":
            print()
            print(lever_table(lambda reckoning: planned_stages(config, images, reckoning), devices))
            print()
            print(card_advice(config, images))
    except DetSearchError as error:
        sys.exit(f"plan: {error}")


if __name__ == "__main__":
    run_program("plan", main)
