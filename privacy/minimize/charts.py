"""Drawings for reports and terminals' files: inline SVG that follows the report's style sheet, without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Dot", "scatter"]

_WIDTH, _HEIGHT = 640, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 36, 48
_KEY = 16
_TICKS = 5
_MARKS = {"attribute": "bar", "cell": "kept"}
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1b1f24}.soft{fill:#59636e}.axis{stroke:#d8dee4}"
    ".bar{fill:#2f6fb5}.kept{fill:#1a7f5a}.line{fill:none;stroke:#59636e;stroke-dasharray:4 3}"
    ".picked{fill:none;stroke:#c2562d;stroke-width:2}"
)


@dataclass(frozen=True)
class Dot:
    """A point of a scatter plot.

    Parameters
    ----------
    kind
        Which colour it has: ``attribute`` or ``cell``.
    label
        What a person reads who points at it.
    front, picked
        Whether it is joined to the front of its kind, and whether it is ringed.
    """

    x: float
    y: float
    kind: str = "attribute"
    label: str = ""
    front: bool = False
    picked: bool = False


def scatter(dots: Sequence[Dot], *, x: str, y: str, title: str, standalone: bool = False) -> str:
    """Return points, the front of each kind among them and the pick as SVG.

    Parameters
    ----------
    x, y
        What the axes measure.
    standalone
        Bring colours along, for a file of its own; a report has its own style sheet.

    Examples
    --------
    >>> drawing = scatter([Dot(0.6, 0.15, front=True)], x="risk", y="error", title="Pareto front")
    >>> drawing.startswith("<svg"), drawing.count("<circle")
    (True, 2)
    """
    across, up = (
        _Scale([dot.x for dot in dots], _LEFT, _WIDTH - _RIGHT),
        _Scale([dot.y for dot in dots], _HEIGHT - _BOTTOM, _TOP),
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-size="12">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>" if standalone else "",
        *_axes(across, up, x, y),
        *(_front([dot for dot in dots if dot.front and dot.kind == kind], across, up) for kind in _MARKS),
        *(_dot(dot, across, up) for dot in dots),
        *_key({dot.kind for dot in dots}),
        "</svg>",
    ]
    return "".join(parts)


class _Scale:
    """Maps values to places between two ends, with a margin."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        low, high = min(values, default=0.0), max(values, default=1.0)
        margin = (high - low) * 0.05 or 0.05
        self.low, self.high = low - margin, high + margin
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        return self._start + (value - self.low) / (self.high - self.low) * (self._end - self._start)

    @property
    def ticks(self) -> list[float]:
        """Values to name on the axis."""
        return [self.low + (self.high - self.low) * number / (_TICKS - 1) for number in range(_TICKS)]


def _axes(across: _Scale, up: _Scale, x: str, y: str) -> list[str]:
    floor, middle = _HEIGHT - _BOTTOM, (_HEIGHT - _BOTTOM + _TOP) / 2
    below = [
        f'<text class="soft" x="{across(value):.1f}" y="{floor + 18}" text-anchor="middle">{value:.3f}</text>'
        for value in across.ticks
    ]
    beside = [
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{up(value):.1f}" y2="{up(value):.1f}"/>'
        f'<text class="soft" x="{_LEFT - 8}" y="{up(value) + 4:.1f}" text-anchor="end">{value:.3f}</text>'
        for value in up.ticks
    ]
    named = [
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x)}</text>',
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">{escape(y)}</text>',
    ]
    return [*beside, *below, *named]


def _front(dots: Sequence[Dot], across: _Scale, up: _Scale) -> str:
    places = (f"{across(dot.x):.1f},{up(dot.y):.1f}" for dot in sorted(dots, key=lambda dot: (dot.x, -dot.y)))
    return f'<polyline class="line axis" fill="none" points="{" ".join(places)}"/>' if len(dots) > 1 else ""


def _dot(dot: Dot, across: _Scale, up: _Scale) -> str:
    place = f'cx="{across(dot.x):.1f}" cy="{up(dot.y):.1f}"'
    mark = f'<circle class="{_MARKS.get(dot.kind, "bar")}" {place} r="{4 if dot.front else 2.5}">'
    ring = f'<circle class="picked" fill="none" stroke="currentColor" {place} r="8"/>' if dot.picked else ""
    return f"{mark}<title>{escape(dot.label)}</title></circle>{ring}"


def _key(kinds: set[str]) -> list[str]:
    return [
        f'<circle class="{_MARKS.get(kind, "bar")}" cx="{_LEFT + 14 + 100 * number}" cy="{_KEY}" r="4"/>'
        f'<text x="{_LEFT + 24 + 100 * number}" y="{_KEY + 4}">{escape(kind)}</text>'
        for number, kind in enumerate(sorted(kinds))
    ]
