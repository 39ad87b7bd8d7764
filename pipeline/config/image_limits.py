"""What images of a user's own the check of a dataset lets through."""

from typing import Annotated, Literal

from pydantic import Field

VerifyImages = Annotated[
    Literal["decode", "header"],
    Field(
        description="How the check of a dataset reads the images: `decode` decodes every pixel and finds "
        "truncated files; `header` opens each file and compares its size only, which is faster."
    ),
]
LARGEST_IMAGE = 2**30
"""Pixels: OpenCV decodes no larger image."""
MOST_PIXELS = 178_956_970
"""Pillow's border, beyond which a small file may fill the memory."""
MostPixels = Annotated[
    int,
    Field(
        ge=1,
        le=LARGEST_IMAGE,
        description="An image of more pixels is a defect: so small a file may fill the memory. Raise it "
        "for aerial photographs and the like; a pixel takes 3 bytes and more.",
    ),
]
