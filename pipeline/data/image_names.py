"""Image files that are not where an annotation file says: what may be meant."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from pipeline.artifacts.label_folder import IMAGE_ENDINGS, files_below

# What older systems wrote names in.
_ENCODINGS = ("latin-1", "cp1252", "cp437", "gb18030", "shift_jis")


def missing_reason(folder: Path, name: str) -> str:
    """A sentence about an image that is not there, with what may be meant.

    Args:
        folder: That the names start at.
        name: The image's `file_name`.
    """
    told = "there is no such file"
    plain = name.replace("\\", "/")
    if "\\" in name and (folder / plain).exists():
        return f"{told}, but one named with / in place of \\: write {plain!r} as its file_name"
    for variant, why in _variants(plain):
        if (folder / variant).exists():
            return f"{told}, but one whose name is the same in {why}: rename that, in UTF-8"
    above = folder.absolute().parent
    if (above / plain).exists():
        return f"{told}, but {above / plain}: name {above} as the folder of the images"
    last = plain.rpartition("/")[2]
    if last != plain and (folder / last).exists():
        return f"{told}, but {last!r} lies in {folder}: write file_name relative to that folder"
    if len(below := _below(folder.absolute()).get(last, ())) == 1:
        return f"{told}, but {below[0]!r}: name the folder in which it lies, or write that as its file_name"
    parent = (folder / plain).parent
    for entry in _entries(parent.absolute()):  # one process may check from several folders
        if entry.casefold() == last.casefold():
            return f"{told}, but {entry!r}: capital and small letters differ"
    return told


def composed(name: str) -> Iterator[tuple[str, str]]:
    """The same name in the other Unicode form, accents as signs of their own or not; and the form's name."""
    for form in ("NFC", "NFD"):
        if (variant := unicodedata.normalize(form, name)) != name:
            yield variant, form


def _variants(name: str) -> Iterator[tuple[str, str]]:
    for variant, form in composed(name):
        yield variant, f"another Unicode form ({form})"
    for encoding in () if name.isascii() else _ENCODINGS:
        try:
            yield os.fsdecode(name.encode(encoding)), f"another encoding ({encoding})"
        except UnicodeEncodeError:
            continue


@lru_cache(maxsize=4)
def _below(folder: Path) -> dict[str, list[str]]:
    """The images in a folder and below, relative to it, by their names without folders."""
    found: dict[str, list[str]] = {}
    for name in files_below(folder, *IMAGE_ENDINGS):
        found.setdefault(name.rpartition("/")[2], []).append(name)
    return found


@lru_cache(maxsize=64)
def _entries(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(entry.name for entry in folder.iterdir())
    except OSError:
        return ()


def outside(folder: Path, paths: Sequence[Path]) -> list[Path]:
    """The files that lie outside of a folder, by a link or by their name."""
    base = os.path.realpath(folder)
    return [path for path in paths if not os.path.realpath(path).startswith(base + os.sep)]
