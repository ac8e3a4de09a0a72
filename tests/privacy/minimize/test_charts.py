"""Scatter plots: points lie where they should, and nothing lies over them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from privacy.minimize.charts import Dot, scatter

_SHARES = st.floats(0, 1)
_DOTS = st.lists(st.builds(Dot, _SHARES, _SHARES, st.sampled_from(["attribute", "cell"])), min_size=1, max_size=20)


@given(_DOTS)
def test_the_key_covers_no_dot(dots: list[Dot]) -> None:
    """Every dot, ring included, is below the line of the key and inside the drawing."""
    drawing = ET.fromstring(scatter(dots, x="risk", y="error", title="tried"))
    circles = list(drawing.iter("{http://www.w3.org/2000/svg}circle"))
    kinds = len({dot.kind for dot in dots})
    key = max(float(circle.get("cy")) + float(circle.get("r")) for circle in circles[-kinds:])
    _, _, width, height = map(float, drawing.get("viewBox").split())

    assert len(dots) + kinds == len(circles)
    for circle in circles[:-kinds]:
        assert key < float(circle.get("cy")) - 8
        assert 0 < float(circle.get("cx")) < width
        assert float(circle.get("cy")) < height


def test_fronts_of_two_kinds_are_two_lines() -> None:
    """The dots of a front are joined with those of their own kind."""
    dots = [Dot(x, y, kind, front=True) for kind, y in (("attribute", 0.4), ("cell", 0.2)) for x in (0.1, 0.5, 0.9)]
    drawing = ET.fromstring(scatter(dots, x="risk", y="error", title="tried"))
    lines = [line.get("points").split() for line in drawing.iter("{http://www.w3.org/2000/svg}polyline")]

    assert [3, 3] == [len(line) for line in lines]
    assert [1, 1] == [len({place.split(",")[1] for place in line}) for line in lines]
