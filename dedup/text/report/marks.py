"""Two texts side by side, with the words that only one of them has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal

from dedup.text.shingles import normalise

__all__ = ["Piece", "marked"]

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, kana and Han: no spaces stand between the words of their scripts."""
_WORD = re.compile(rf"[{_UNSPACED}]\s*|[^\s{_UNSPACED}]+\s*")
_COMPARED = 600
"""Words between the first and the last difference that are compared; the time goes with their square."""
_AROUND = 14
_SHOWN = 60
_LONGEST = 400
Kind = Literal["same", "own", "gap"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text: shared with the other (``same``), not (``own``), or words left out (``gap``)."""

    kind: Kind
    text: str


def marked(left: str, right: str, *, casefold: bool = True) -> tuple[list[Piece], list[Piece]]:
    """Return two texts in pieces that tell what each has alone; long stretches are shortened.

    Parameters
    ----------
    casefold
        Words that differ by case alone are the same.

    Examples
    --------
    >>> ours, theirs = marked("Sort the list now.", "sort a list now.")
    >>> [(piece.kind, piece.text) for piece in ours]
    [('same', 'Sort '), ('own', 'the '), ('same', 'list now.')]
    >>> [piece.text for piece in theirs if piece.kind == "own"]
    ['a ']
    """
    words = [_WORD.findall(text.strip()) for text in (left, right)]
    own = _differences(*([normalise(word, casefold=casefold) for word in some] for some in words))
    ours, theirs = (list(_pieces(*side)) for side in zip(words, own, strict=True))
    return ours, theirs


def _differences(a: list[str], b: list[str]) -> tuple[list[bool], list[bool]]:
    """Return for each word of both whether the other lacks it there."""
    least = min(len(a), len(b))
    head = next((n for n in range(least) if a[n] != b[n]), least)
    tail = next((n for n in range(least - head) if a[-1 - n] != b[-1 - n]), least - head)
    own_a, own_b = ([head <= n < len(words) - tail for n in range(len(words))] for words in (a, b))
    first, second = a[head : len(a) - tail][:_COMPARED], b[head : len(b) - tail][:_COMPARED]
    for i, j, size in SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks():
        own_a[head + i : head + i + size] = [False] * size
        own_b[head + j : head + j + size] = [False] * size
    return own_a, own_b


def _pieces(words: list[str], own: list[bool]) -> Iterator[Piece]:
    start = 0
    for mine, run in groupby(own):
        stop = start + len(list(run))
        first, last = start == 0, stop == len(words)
        yield from _shortened(words[start:stop], "own" if mine else "same", first=first, last=last)
        start = stop


def _shortened(words: list[str], kind: Kind, *, first: bool, last: bool) -> Iterator[Piece]:
    """Yield a stretch whole or, if it is long, what stands near its ends, and how much was left out."""
    head = _SHOWN if kind == "own" or (first and last) else _AROUND
    tail = 0 if last and not first else _AROUND
    if len(words) <= head + tail + _AROUND:
        yield Piece(kind, _cut(words))
        return
    yield Piece(kind, _cut(words[:head]))
    yield Piece("gap", f"{len(words) - head - tail:,} words")
    if tail:
        yield Piece(kind, _cut(words[-tail:]))


def _cut(words: Iterable[str]) -> str:
    """Return words as text, the overlong ones shortened."""
    return "".join(word if len(word) <= _LONGEST else f"{word[:_LONGEST]}… " for word in words)
