"""Figures, tables and numbers of the report by themselves."""

import csv
import io
import math
import re
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.supernet import SupernetConfig
from pipeline.hit_detector.spaces import supernet_architecture
from pipeline.report.architecture import draw_architecture
from pipeline.report.blocks import colour
from pipeline.report.curves import expected_time, gradient_sizes, per_epoch
from pipeline.report.detections import LABEL_HEIGHT, judged, label_area, overlap
from pipeline.report.formats import (
    alike_decimal,
    alike_durations,
    alike_scaled,
    duration,
    percent,
    scaled,
)
from pipeline.report.heatmaps import heat_map
from pipeline.report.inputs import (
    ComponentScores,
    Detection,
    History,
    LayerScores,
    PathRecord,
    Removal,
    ScoredPath,
    SubSearchSpace,
)
from pipeline.report.path_search import found_by_paths
from pipeline.report.screening import ranking
from pipeline.report.svg import KIND_COLOURS, kind_colour, text_width
from pipeline.report.tables import Column, Table
from pipeline.search_space.architecture import COMPONENTS, Architecture
from pipeline.search_space.names import CANDIDATES, OperationSpec

SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]


def derived(
    depth: tuple[int, int, int, int], head_blocks: int, family: str = "faster_rcnn"
) -> Architecture:
    """A network whose layers walk through all operations."""
    supernet = supernet_architecture(
        SupernetConfig(depth=depth, head_blocks=head_blocks, family=family),  # type: ignore[arg-type]
        80,
        depth,
        dict.fromkeys(COMPONENTS, CANDIDATES),
    )
    operations = iter(CANDIDATES * 4)
    return supernet.with_operations(lambda component, name, block: next(operations))


@pytest.mark.parametrize("family", ["faster_rcnn", "retinanet"])
@pytest.mark.parametrize(
    ("depth", "head_blocks"), [((1, 1, 1, 1), 1), ((4, 4, 8, 4), 4), ((4, 5, 16, 5), 6)]
)
def test_the_drawing_shows_every_layer_and_nothing_covers_anything(
    depth: tuple[int, int, int, int], head_blocks: int, family: str
) -> None:
    architecture = derived(depth, head_blocks, family)
    margins = {"backbone": {"stage1.block1": 0.25}}
    root = ElementTree.fromstring(draw_architecture(architecture, margins, CANDIDATES).svg)

    titles = [title.text or "" for title in root.iter(f"{SVG}title")]
    for component in COMPONENTS:
        for name, block in architecture.blocks(component).items():
            expected = (
                f"{name}: {block.operation}, {block.channels} channels, stride {block.stride}"
            )
            assert (
                sum(
                    re.fullmatch(f"{re.escape(expected)}(, margin.*)?", t) is not None
                    for t in titles
                )
                == 1
            )
    assert any(title.endswith(", margin 0.250") for title in titles)

    width, height = map(float, (root.attrib["width"], root.attrib["height"]))
    boxes = [_box(rect) for rect in root.iter(f"{SVG}rect") if rect.get("rx") == "5"]
    texts = [_text_box(item) for item in root.iter(f"{SVG}text")]
    searched = sum(len(architecture.blocks(component)) for component in COMPONENTS)
    # stem, three merges, RPN, RoIAlign and fc are not searched; of a one-stage detector the stem, two
    # merges and the towers' last convolutions. Six boxes explain the colours
    assert len(boxes) == searched + (5 if family == "retinanet" else 7) + 6
    shown = {item.text for item in root.iter(f"{SVG}text")}
    towers = {"class tower", "box tower", "9 × 80 class scores", "9 × 4 box offsets", "stride 128"}
    assert towers <= shown if family == "retinanet" else not towers & shown
    for items in (boxes, texts):
        for number, (x, y, w, h) in enumerate(items):
            assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
            assert not [other for other in items[:number] if overlap((x, y, w, h), other)]
    for line in texts:
        # a text lies in one box or outside of all
        assert all(not overlap(line, box) or _inside(line, box) for box in boxes)


def test_the_key_explains_what_was_searched_and_nothing_else() -> None:
    architecture = derived((1, 1, 1, 1), 1)
    candidates = ["conv_k3_d1", "conv_k3_d2", "ir_k5_d1_e3"]
    svg = draw_architecture(architecture, {}, candidates).svg
    key = svg[svg.index(">key</text>") :]
    assert "conv 3×3" in key and "e3 d1" in key and "convolution (d: dilation)" in key
    assert "7×7" not in key and "5×5" not in key and "e6" not in key and "separable" not in key


def test_detections_are_right_once_for_each_object_of_their_class() -> None:
    objects = [(1, (0.0, 0.0, 10.0, 10.0)), (2, (50.0, 50.0, 10.0, 10.0))]

    def found(category: int, *bbox: float) -> Detection:
        return Detection.model_validate(
            {"image_id": 1, "category_id": category, "bbox": bbox, "score": 0.9}
        )

    # half covered: IoU 50 / 100; a second one on the same object; the wrong class; a third of the union
    detections = [
        found(1, 0, 0, 10, 5),
        found(1, 0, 0, 10, 10),
        found(1, 50, 50, 10, 10),
        found(2, 55, 50, 10, 10),
    ]
    right, missed = judged(detections, objects)
    assert right == [True, False, False, False]
    assert missed == [(50.0, 50.0, 10.0, 10.0)]


def test_numbers_of_a_column_have_one_unit_and_as_many_decimals() -> None:
    assert alike_scaled([1_320_000, 981_000, 9_740]) == ["1.320 M", "0.981 M", "0.010 M"]
    assert alike_scaled([88_000_000, 68_540_000, 0]) == ["88.0 M", "68.5 M", "0.0 M"]
    assert alike_scaled([999_960, 12]) == ["1.000 M", "0.000 M"]
    assert alike_scaled([12, 7]) == ["12", "7"] and alike_scaled([]) == []
    assert alike_decimal([0.034, -0.00612]) == ["0.0340", "-0.0061"]
    assert alike_decimal([39.5, 38.34]) == ["39.5", "38.3"]
    assert alike_decimal([4.0, 0]) == ["4", "0"]


def test_only_a_derived_network_is_drawn() -> None:
    supernet = supernet_architecture(
        SupernetConfig(), 3, (1, 1, 1, 1), dict.fromkeys(COMPONENTS, CANDIDATES[:3])
    )
    with pytest.raises(ValueError, match=r"stage\d\.block1 holds candidates"):
        draw_architecture(supernet, {})


def test_a_kind_of_operation_without_a_colour_of_its_own_is_drawn_in_another_one() -> None:
    known = {colour(OperationSpec.parse(name)) for name in CANDIDATES}
    assert colour(OperationSpec("pool", kernel=3, dilation=1)) not in known
    assert kind_colour("pool") not in KIND_COLOURS.values()
    assert kind_colour("sep") == KIND_COLOURS["sep"]


def _box(rect: ElementTree.Element) -> Box:
    x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
    return x, y, width, height


def _text_box(item: ElementTree.Element) -> Box:
    size = float(item.attrib["font-size"])
    # systems' fonts are a tenth narrower than DejaVu Sans, which `text_width` measures
    width = 0.95 * text_width(item.text or "", size, item.get("font-weight") == "bold")
    x, y = float(item.attrib["x"]), float(item.attrib["y"])
    x -= width / 2 if item.get("text-anchor") == "middle" else 0
    return x, y - 0.75 * size, width, 0.9 * size


def _inside(inner: Box, outer: Box) -> bool:
    return all(
        outer[axis] <= inner[axis]
        and inner[axis] + inner[axis + 2] <= outer[axis] + outer[axis + 2]
        for axis in (0, 1)
    )


coordinates = st.floats(-20, 380, allow_nan=False)
sizes = st.floats(1, 380, allow_nan=False)


@given(st.lists(st.tuples(coordinates, coordinates, sizes, sizes), max_size=6))
def test_labels_stay_in_the_image_and_apart_from_each_other(boxes: list[Box]) -> None:
    taken: list[Box] = []
    for box in boxes:
        area = label_area(box, 60.0, (360.0, 270.0), taken)
        assert 0 <= area[0] <= 300 and 0 <= area[1] <= 270 - LABEL_HEIGHT
        # six labels fit below each other wherever the boxes are
        assert not any(overlap(area, other) for other in taken)
        taken.append(area)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (999, "999"), (1234, "1.23 k"), (27_120_000, "27.1 M"), (272.3e9, "272 G"),
     (999_960, "1.00 M"), (999_400, "999 k"), (1.5e12, "1.50 T")],
)  # fmt: skip
def test_counts_have_a_prefix(value: float, shown: str) -> None:
    assert scaled(value) == shown


@given(st.integers(1, 10**15))
def test_a_shown_count_is_within_half_a_percent(value: int) -> None:
    number, _, prefix = scaled(value).partition(" ")
    factor = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[prefix]
    assert math.isclose(float(number) * factor, value, rel_tol=0.005)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0312, "31 ms"), (8.34, "8.3 s"), (59.96, "1 min 0 s"), (785.7, "13 min 6 s"),
     (3600, "1 h 0 min"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h")],
)  # fmt: skip
def test_times_have_the_units_that_matter(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_times_of_a_column_have_as_many_decimals() -> None:
    assert alike_durations([0.0097, 0.01008]) == ["9.7 ms", "10.1 ms"]
    assert alike_durations([0.00092, 0.0011]) == ["0.92 ms", "1.10 ms"]
    assert alike_durations([0.013, 0.02]) == ["13 ms", "20 ms"]
    assert alike_durations([0.0312, 8.34]) == ["31 ms", "8.3 s"]
    assert alike_durations([0.0, 0.2]) == ["0.0 ms", "200 ms"] and alike_durations([]) == []


def test_an_undefined_fraction_is_a_dash() -> None:
    assert (percent(None), percent(0.414)) == ("–", "41.4")


def test_a_table_reads_back_from_its_file_and_escapes_in_the_page() -> None:
    columns = (Column("name", "name"), Column("AP", "ap", "percent", bar=True))
    rows = [('a "quoted", <b>', 0.5), ("ünï", None), ("last", 0.25)]
    table = Table("t", columns, rows)
    back = list(csv.reader(io.StringIO(table.csv().decode())))
    assert back == [["name", "ap"], ['a "quoted", <b>', "0.5"], ["ünï", ""], ["last", "0.25"]]
    html = table.html()
    assert "&lt;b&gt;" in html and "<b>–</b>" in html
    assert re.findall(r"width:([\d.]+)%", html) == ["100.0", "0.0", "50.0"]


def test_screening_ranks_the_kept_by_score_then_the_last_removed_first() -> None:
    gone = [
        Removal(epoch=epoch, iteration=10 * epoch, operation=name, score=score)
        for epoch, name, score in ((7, "sep_k3_d1", 0.2), (9, "sep_k5_d1", 0.1))
    ]
    space = SubSearchSpace(
        kept=("conv_k3_d1", "ir_k3_d1_e1"),
        scores={"ir_k3_d1_e1": 0.4, "conv_k3_d1": 0.6, "sep_k3_d1": 0.2, "sep_k5_d1": 0.1},
        removed=tuple(gone),
    )
    assert ranking(space) == [
        ("conv_k3_d1", 0.6, None), ("ir_k3_d1_e1", 0.4, None),
        ("sep_k5_d1", 0.1, 9), ("sep_k3_d1", 0.2, 7),
    ]  # fmt: skip


def test_a_heat_map_marks_the_chosen_operation_of_each_layer() -> None:
    probabilities = ((0.1, 0.7, 0.2), (0.5, 0.3, 0.2), (0.2, 0.2, 0.6))
    scores = ComponentScores(
        operations=("ir_k3_d1_e1", "sep_k3_d1", "conv_k3_d1"),
        layers=tuple(
            LayerScores(name=f"stage{n}.block1", probabilities=row)
            for n, row in enumerate(probabilities, 1)
        ),
    )
    # in the last layer a budget forbade the likeliest
    operations = ("sep_k3_d1", "ir_k3_d1_e1", "sep_k3_d1")
    chosen = {f"stage{n}.block1": name for n, name in enumerate(operations, 1)}
    root = ElementTree.fromstring(heat_map("backbone", scores, chosen).svg)
    bold = [
        (item.text or "").strip()
        for item in root.iter(f"{SVG}text")
        if "font-weight: 700" in item.get("style", "")
    ]
    assert bold == ["70", "50", "20"]


def test_a_history_gives_the_records_that_hold_a_key() -> None:
    history = History(
        records=(
            {"epoch": 1, "iteration": 10, "loss": 2.0},
            {"epoch": 1, "iteration": 20, "AP": 0.1},
            {"epoch": 2, "iteration": 30, "loss": 1.0},
        )
    )
    xs, ys = history.series("loss")
    assert (xs, ys) == ([10, 30], [2.0, 1.0])
    assert history.series("AP") == ([20], [0.1])
    assert all(a < b for a, b in pairwise(xs))


def test_gradients_are_averaged_over_each_epoch_and_left_away_where_there_are_none() -> None:
    records = (
        {"epoch": 1, "iteration": 20, "gradient/loss": 1.0, "gradient/penalty": 0.0},
        {"epoch": 1, "iteration": 40, "gradient/loss": 4.0, "gradient/penalty": 0.0},
        {"epoch": 1, "iteration": 50, "AP": 0.1},
        {"epoch": 2, "iteration": 60, "gradient/loss": 2.0, "gradient/penalty": 0.0},
    )
    history = History(records=records)
    assert per_epoch(history, "gradient/loss") == ([1, 2], [2.5, 2.0])
    # λ = 0 has no place on a logarithmic axis
    (figure,) = gradient_sizes(history)
    assert figure.name == "search_gradients"
    assert gradient_sizes(History(records=records[2:3])) == ()


def test_expected_time_is_drawn_where_the_search_counts_it() -> None:
    record = {"epoch": 1, "iteration": 20, "expected_gmacs": 0.02}
    assert expected_time(History(records=(record,))) == ()
    (figure,) = expected_time(History(records=({**record, "expected_milliseconds": 7.5},)))
    assert figure.name == "search_milliseconds" and "sum of measured operations, ms" in figure.svg


def test_a_search_over_paths_is_told_by_its_best_path_and_its_budget() -> None:
    scored = tuple(
        ScoredPath(macs=macs, score=score)
        for macs, score in ((20_000_000, -2.5), (31_000_000, -1.25), (45_000_000, -1.75))
    )
    record = PathRecord(strategy="evolution", score="loss", max_gmacs=0.05, paths=scored)
    run: Any = SimpleNamespace(paths=record)
    intro, figures = found_by_paths(run)
    assert "Search by aging evolution: 3 single paths" in intro
    assert "None has more than 0.05 GMACs. The best has a score of -1.25 at 0.031 GMACs." in intro
    assert [figure.name for figure in figures] == ["search_paths", "search_paths_cost"]
