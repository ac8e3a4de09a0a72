"""Where a text states its final answer, by the convention of its source."""

from __future__ import annotations

import re

from curation.verify.glyphs import as_latex

__all__ = ["boxed", "chosen", "extract", "is_label"]

_NUMBER = re.compile(r"(?:(?<![\d)])[+-])?\$?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")
_GSM8K = re.compile(r"^[^\S\n]*(?:####|A:)\s*(.*)$", re.MULTILINE)
_FINAL = re.compile(r"(?:final\s+)?answer\s*(?:is|:)\s*(?::\s*)?(\S.*)", re.IGNORECASE)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?:\{|(?P<bare>[^\s{$]+))")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
"""A brace, or what is escaped and so is none."""
_BETWEEN_BOXES = re.compile(r"[\s$]*+(?:(?:,\s*+)?(?:and|or|\\text\{\s*+(?:and|or)\s*+\})|,)[\s$]*+")
_LABEL = re.compile(r"(?<![A-Za-z\d])(?!I\s+[a-z])([A-Z]|\d)(?![A-Za-z\d'])")
_FIRST = re.compile(r"[\s(\[*\"]*([A-Z]|\d)(?:[)\].:,*]|\s*\n|\s*$)")
_BETWEEN_LABELS = re.compile(r"[\s()\[\]{}*$\"']*+(?:(?:,\s*+)?(?:and|or)|[,/;&|+])?+[\s()\[\]{}*$\"']*+")
_GOES_ON = re.compile(r"\s+(?!and\b|or\b)[a-z]")
_MARKUP = " \t\r\n()[]{}*$.:\"'"


def extract(style: str, answer: str) -> str | None:
    r"""Return the final answer within a text.

    Parameters
    ----------
    style
        ``gsm8k``: what follows the last ``####`` or ``A:`` at the start of a line, else what is boxed, else the last
        number. ``math`` and ``aime``: what is boxed, else what follows ``answer is``, else the whole text if it is
        one line; text outside the last ``<answer>`` and ``</answer>`` does not count.

    Examples
    --------
    >>> extract("gsm8k", "so 2 + 3 = 5\n#### 5"), extract("math", "hence $\\boxed{\\frac{1}{2}}$.")
    ('5', '\\frac{1}{2}')
    """
    answer = as_latex(answer)
    if style == "gsm8k":
        marked = _GSM8K.findall(answer)
        numbers = _NUMBER.findall(marked[-1] if marked else boxed(answer) or answer)
        return numbers[0 if marked else -1] if numbers else None
    found = boxed(answer)
    if found is not None:
        return found
    answer = answer.rpartition("<answer>")[2].partition("</answer>")[0]
    said = _FINAL.findall(answer)
    text = said[-1] if said else answer.strip()
    return text.strip().rstrip(".").strip().strip("*") if text and "\n" not in text else None


def boxed(text: str) -> str | None:
    r"""Return the content of the last ``\boxed{...}``, braces matched; None if there is none.

    Boxes with nothing but a comma, ``and`` or ``or`` between them are one answer.

    Examples
    --------
    >>> boxed(r"so $x = \boxed{\frac{1}{2}}$."), boxed(r"$\boxed{1}$ and $\boxed 2$")
    ('\\frac{1}{2}', '1, 2')
    """
    parts: list[str] = []
    start = len(text)
    for box in reversed(list(_BOX.finditer(text))):
        end, content = _content(text, box)
        if content is None or (parts and not (end <= start and _BETWEEN_BOXES.fullmatch(text, end, start))):
            break
        parts.append(content)
        start = box.start()
    return ", ".join(reversed(parts)) if parts else None


def _content(text: str, box: re.Match[str]) -> tuple[int, str | None]:
    """Return where a box ends, and what is in it; None if it is never closed."""
    if box["bare"]:
        return box.end(), box["bare"]
    depth = 1
    for brace in _BRACE.finditer(text, box.end()):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return brace.end(), text[box.end() : brace.start()].strip()
    return len(text), None


def is_label(text: str) -> bool:
    """Tell whether a text names one choice: a letter or a digit."""
    return len(text) == 1 and text.isascii() and text.isalnum()


def chosen(answer: str, *, digits: bool = False) -> str | None:
    r"""Return the label of the choice that a text makes: one letter, upper case, or one digit.

    What is boxed counts, else what follows the last ``answer is`` with a label, else a label at the very beginning,
    else the last one. A list of labels is no choice.

    Examples
    --------
    >>> chosen("The answer is (B)."), chosen("b"), chosen("Answer: A, B or C")
    ('B', 'B', None)
    """
    box = boxed(answer)
    for part in [box] if box is not None else reversed(_FINAL.findall(answer)):
        if labels := _labels(part, digits=digits):
            return _alone(part, labels, 0)
    if box is not None or is_label(answer.strip(_MARKUP)):
        bare = (answer if box is None else box).strip(_MARKUP)
        return bare.upper() if is_label(bare) and bare.isdigit() == digits else None
    labels = _labels(answer, digits=digits)
    if not labels:
        return None
    begins = _FIRST.match(answer)
    if begins and begins.start(1) == labels[0].start() and (first := _alone(answer, labels, 0)):
        return first
    return _alone(answer, labels, -1)


def _labels(text: str, *, digits: bool) -> list[re.Match[str]]:
    return [label for label in _LABEL.finditer(text) if label[0].isdigit() == digits]


def _alone(text: str, labels: list[re.Match[str]], at: int) -> str | None:
    """Return a label, unless the one next to it makes a list of them, or there is nothing but labels."""
    pair = labels[:2] if at == 0 else labels[-2:]
    if len(pair) > 1 and pair[0][0] != pair[1][0]:
        between = text[pair[0].end() : pair[1].start()]
        listed = _BETWEEN_LABELS.fullmatch(between) and "\n\n" not in between
        if (listed and not _GOES_ON.match(text, pair[1].end())) or not any(map(str.islower, text)):
            return None
    return labels[at][0]
