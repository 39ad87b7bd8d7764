"""`python -m pipeline.detection.op_finder --write-pth`: see `site_hook`."""

import argparse
import sysconfig
from pathlib import Path

from pipeline.detection.op_finder.site_hook import NAME, write_pth


def main() -> None:
    """Write the `.pth` file into the running interpreter's site-packages and say where."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.detection.op_finder")
    parser.add_argument(
        "--write-pth",
        action="store_true",
        required=True,
        help=f"write {NAME} into this interpreter's site-packages, so that mmdet works in every "
        "process of the environment",
    )
    parser.parse_args()
    print(write_pth(Path(sysconfig.get_path("purelib"))))


if __name__ == "__main__":
    main()
