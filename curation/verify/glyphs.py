"""Mathematics in characters of its own, written as LaTeX writes it."""

from __future__ import annotations

import re
from unicodedata import normalize

__all__ = ["as_latex"]

_FRACTIONS = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
_MINUS = "\N{MINUS SIGN}\N{EN DASH}"
_SPACES = "\N{NO-BREAK SPACE}\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}"
_COMMANDS = {
    **{
        glyph: "\\frac{{{}}}{{{}}}".format(*normalize("NFKC", glyph).split("\N{FRACTION SLASH}"))
        for glyph in _FRACTIONS
    },
    **dict.fromkeys(_MINUS, "-"),
    **dict.fromkeys(_SPACES, "\\,"),
    "\N{DEGREE SIGN}": "^\\circ ",
    "\N{INFINITY}": "\\infty ",
    "\N{MULTIPLICATION SIGN}": "\\times ",
    "\N{MIDDLE DOT}": "\\cdot ",
    "\N{PLUS-MINUS SIGN}": "\\pm ",
    "\N{LESS-THAN OR EQUAL TO}": "\\le ",
    "\N{GREATER-THAN OR EQUAL TO}": "\\ge ",
    "\N{UNION}": "\\cup ",
}
_TABLE = str.maketrans(_COMMANDS)
_RAISED = re.compile("⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_ROOT = re.compile("√(\\d+|[a-z])")


def as_latex(text: str) -> str:
    r"""Return a text with fractions, powers, roots and signs of one character as LaTeX has them.

    Examples
    --------
    >>> as_latex("3½, x² and √2")
    '3\\frac{1}{2}, x^{2} and \\sqrt{2}'
    """
    if text.isascii():
        return text
    raised = _RAISED.sub(lambda power: f"^{{{normalize('NFKC', power[0])}}}", text)
    return _ROOT.sub(r"\\sqrt{\1}", raised).translate(_TABLE)
