"""Where names stand in the drawing of accuracy over cost."""

from xml.etree import ElementTree

from pipeline.report.scatter import SIZE, STOCK_DOMINATED, SUBNET, TIME, Point, scatter
from pipeline.report.svg import text_width

SVG = "{http://www.w3.org/2000/svg}"
POINTS = [
    Point("s0", SUBNET, 0.0070, 0.50),
    *(Point(f"s{number}", SUBNET, 0.0080 + number / 1e5, 0.541) for number in range(1, 4)),
    Point("student", STOCK_DOMINATED, 0.00802, 0.53),
    Point("searched", STOCK_DOMINATED, 0.0082, 0.53),
    Point("s9", SUBNET, 0.0106, 0.55),
]
"""Three subnets above the student, and another network right of it."""


def test_a_name_stands_over_no_other_name_and_no_other_point() -> None:
    _, figure = scatter("front", "Accuracy over latency", POINTS, TIME)
    marks: list[tuple[float, float, float]] = []
    names: dict[str, tuple[float, float, float, float]] = {}
    for group in ElementTree.fromstring(figure.svg).findall(f"{SVG}g"):
        (circle,) = group.findall(f"{SVG}circle")
        x, y, radius = (float(circle.get(key, 0)) for key in ("cx", "cy", "r"))
        marks.append((x, y, radius))
        for label in group.findall(f"{SVG}text"):
            x, y = float(label.get("x", 0)), float(label.get("y", 0))
            name = label.text or ""
            names[name] = (x, y - SIZE, x + text_width(name, SIZE), y + 2)
    assert names.keys() == {"student", "searched"} and len(marks) == len(POINTS)
    for left, top, right, bottom in names.values():
        hidden = [
            mark
            for mark in marks
            if left < mark[0] + mark[2]
            and mark[0] - mark[2] < right
            and top < mark[1] + mark[2]
            and mark[1] - mark[2] < bottom
        ]
        assert hidden == []
    one, other = names.values()
    assert one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
