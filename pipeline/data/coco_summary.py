"""What a checked annotation file holds, and the counts of it that are shown."""

from collections import Counter
from dataclasses import dataclass, field

from pipeline.data.normal_form import NormalForm

# COCO's borders between small, medium and large objects, in square pixels.
SMALL, LARGE = 32**2, 96**2


@dataclass
class CocoSummary(NormalForm):
    """What a checked annotation file holds; sound entries only.

    Attributes:
        objects: Category id to its number of objects; crowd regions do not count.
        boxes: Number of all annotations that the file lists.
    """

    objects: Counter[int] = field(default_factory=Counter)
    boxes: int = 0

    def statistics(self) -> dict[str, int]:
        """The counts that `dataset.json` shows."""
        areas = [entry["area"] for entry in self.annotations if not entry["iscrowd"]]
        small = sum(area < SMALL for area in areas)
        large = sum(area > LARGE for area in areas)
        sizes = {"small": small, "medium": len(areas) - small - large, "large": large}
        counts: dict[str, int] = {
            "images": len(self.images),
            "with_boxes": len(self.with_boxes()),
            **self._median(),
        }
        return {**counts, "objects": len(areas), **sizes}

    def with_boxes(self) -> set[int]:
        """The images that a training of a detector sees: those with an annotation, be it a region."""
        return {entry["image_id"] for entry in self.annotations}

    def _median(self) -> dict[str, int]:
        """Width and height of the image in the middle, of each by itself."""
        if not self.images:
            return {}
        widths, heights = (
            sorted(image[place] for image in self.images.values()) for place in (1, 2)
        )
        middle = len(self.images) // 2
        return {"median_width": int(widths[middle]), "median_height": int(heights[middle])}
