"""Characters that may not stand in a drawing or a page."""

from __future__ import annotations

import re

# XML 1.0, section 2.2: most control characters, halves of surrogate pairs and two noncharacters are forbidden
# there, as references (`&#1;`) too.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def well_formed(markup: str) -> str:
    """The same SVG or HTML, with U+FFFD in place of each character that XML forbids."""
    return FORBIDDEN.sub("\ufffd", markup)
