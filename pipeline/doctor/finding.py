"""What a check of the environment found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "fault"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        subject: what was looked at.
        state: `ok`; `note` where a run works, but less well than it could; `fault` where it fails.
        found: what is there.
        advice: what to do about it; empty if nothing.
    """

    subject: str
    state: State
    found: str
    advice: str = ""
