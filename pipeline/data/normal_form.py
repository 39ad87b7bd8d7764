"""The normal form of annotations: what everything after the check reads in place of the user's file.

It holds the fields that are used, of the right types, in the order of the user's file. So two files
that differ in anything else have the same normal form, to the byte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Annotation = dict[str, Any]
"""id, image_id, category_id, bbox (x, y, width, height in pixels), area in square pixels, iscrowd."""


@dataclass
class NormalForm:
    """The content of a checked annotation file.

    Attributes:
        categories: (id, name) in the file's order.
        images: Image id to (file name, width, height).
        annotations: Those that training and evaluation use; crowd regions, too.
    """

    categories: list[tuple[int, str]] = field(default_factory=list)
    images: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    annotations: list[Annotation] = field(default_factory=list)

    def content(self) -> Mapping[str, Any]:
        """As a COCO instances file."""
        return {
            "images": [
                {"id": image_id, "file_name": name, "width": width, "height": height}
                for image_id, (name, width, height) in self.images.items()
            ],
            "annotations": self.annotations,
            "categories": [{"id": number, "name": name} for number, name in self.categories],
        }

    def write(self, path: Path) -> None:
        """Write the file: JSON whose other characters are escaped, which is read alike in any locale."""
        path.write_text(json.dumps(self.content(), allow_nan=False) + "\n", encoding="ascii")
