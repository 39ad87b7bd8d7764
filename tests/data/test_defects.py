"""What is told of a dataset's defects: a line each, whatever the names of files and classes hold."""

from pathlib import Path

from pipeline.data.defects import DatasetError, Defect


def test_a_defect_is_a_line_whatever_its_names_hold(tmp_path: Path) -> None:
    names = ["a\nb.png", "tab\t.png", "\u2028.png", "\x85.png", "\x1b[2J.png", "plain ü.png"]
    defects = [Defect("missing image", "val", Path(name), f"image {name}", name) for name in names]
    told = DatasetError(defects)
    assert len(str(told).splitlines()) == 2 + len(names)
    assert "\x1b" not in str(told) and "a\\nb.png" in str(told) and "plain ü.png" in str(told)
    # and in the whole list, where there are too many to be shown
    DatasetError(defects * 3).write(tmp_path / "defects.txt")
    lines = (tmp_path / "defects.txt").read_text().splitlines()
    assert len(lines) == 3 * len(names)
    assert all(line.startswith("missing image\t[val] ") for line in lines)
