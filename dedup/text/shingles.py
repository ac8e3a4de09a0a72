"""From text to sets of hashed shingles, thousands of documents at a time."""

from __future__ import annotations

import hashlib
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from dedup.text.hashing import combine, mix
from dedup.text.ragged import places, starts_of
from schemas.ids import normalise_text
from schemas.recipe.dedup import Dedup

__all__ = ["Sketch", "normalise", "sketch"]

_WORD, _NUMBER, _OPERATOR = np.uint8(1), np.uint8(2), np.uint8(4)
_BREAK = 0x0A
_SIGNS = frozenset("-*/^%!&")
_CHARACTERS_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is remembered of a run of documents.

    Parameters
    ----------
    digests
        128 bits of SHA-256 of each normalised text; shape (n, 2), uint64.
    characters
        Length of each normalised text.
    guards
        Hash of the numbers and signs that must agree, in order; uint64.
    sizes
        Number of distinct shingles of each document.
    shingles
        Their 64-bit hashes, document after document, each document's in ascending order.
    """

    digests: np.ndarray
    characters: np.ndarray
    guards: np.ndarray
    sizes: np.ndarray
    shingles: np.ndarray


def normalise(text: str, *, casefold: bool) -> str:
    r"""Return the form in which exact duplicates are equal.

    Examples
    --------
    >>> normalise("Add\tTWO  numbers ", casefold=True)
    'add two numbers'
    """
    plain = normalise_text(text)
    # folding takes some letters apart that composition had put together
    return unicodedata.normalize("NFC", plain.casefold()) if casefold else plain


def sketch(texts: Sequence[str], settings: Dedup) -> list[Sketch]:
    """Return sketches of ``texts`` (at most 65,536 of them), one for each run of a million characters.

    Two different shingles share a hash with probability 2**-64: among ten million distinct ones, one chance in
    370,000 that any two do.
    """
    return [_sketched(run, settings) for run in _runs(texts)]


def _runs(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the texts in runs of so many characters at most, a longer text alone."""
    start = characters = 0
    for number, text in enumerate(texts):
        if number > start and characters + len(text) > _CHARACTERS_AT_ONCE:
            yield texts[start:number]
            start, characters = number, 0
        characters += len(text)
    yield texts[start:]


def _sketched(texts: Sequence[str], settings: Dedup) -> Sketch:
    normal = [normalise(text, casefold=settings.casefold) for text in texts]
    digests = b"".join(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16] for text in normal)
    characters = np.fromiter(map(len, normal), np.int64, len(normal))
    read = [text if settings.near and len(text) <= settings.longest else "" for text in normal]
    points = np.frombuffer("\n".join([*read, ""]).encode("utf-32-le", "surrogatepass"), np.uint32)
    words = _Words(points)
    units, lengths = words.units() if settings.unit == "words" else _characters(points)
    sizes, shingles = _distinct(*_shingles(units, lengths, settings.width))
    guards = words.guards(numbers=settings.keep_numbers, operators=settings.keep_operators)
    return Sketch(np.frombuffer(digests, np.uint64).reshape(-1, 2), characters, guards, sizes, shingles)


@cache
def _kinds() -> np.ndarray:
    """Return a table from code point to what it may be part of."""
    table = np.zeros(sys.maxunicode + 1, np.uint8)
    for point in range(len(table)):
        character = chr(point)
        category = unicodedata.category(character)
        if category[0] in "LNM" or character == "_":
            table[point] = _WORD | (_NUMBER if category[0] == "N" else 0)
        elif category == "Sm" or character in _SIGNS:
            table[point] = _OPERATOR
    return table


class _Words:
    """Runs of letters, digits and underscores in documents that a line break ends."""

    def __init__(self, points: np.ndarray) -> None:
        self.points = points
        self.kinds = _kinds()[points]
        self.breaks = np.flatnonzero(points == _BREAK)
        inside = (self.kinds & _WORD).astype(np.int8)
        edges = np.diff(inside, prepend=0)
        self.starts = np.flatnonzero(edges == 1)
        self.widths = np.flatnonzero(edges == -1) - self.starts
        self.letters = np.flatnonzero(inside)
        self.hashes = self._hashes()

    def _hashes(self) -> np.ndarray:
        if not self.starts.size:
            return np.zeros(0, np.uint64)
        letters = combine(self.points[self.letters].astype(np.uint64), places(self.widths))
        return np.add.reduceat(letters, starts_of(self.widths)[:-1])

    def _per_document(self, positions: np.ndarray) -> np.ndarray:
        """Return how many of the ascending ``positions`` lie in each document."""
        return np.diff(np.searchsorted(positions, self.breaks), prepend=0)

    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the hash of each word, and the number of words of each document."""
        return self.hashes, self._per_document(self.starts)

    def guards(self, *, numbers: bool, operators: bool) -> np.ndarray:
        """Return, per document, a hash of the sequence of its words with digits and of its signs."""
        where = np.zeros(0, np.int64)
        what = np.zeros(0, np.uint64)
        if numbers and self.starts.size:
            digits = (self.kinds[self.letters] & _NUMBER) != 0
            found = np.add.reduceat(digits, starts_of(self.widths)[:-1], dtype=np.int64) > 0
            where, what = self.starts[found], self.hashes[found]
        if operators:
            signs = np.flatnonzero(self.kinds & _OPERATOR)
            where = np.concatenate((where, signs))
            what = np.concatenate((what, mix(self.points[signs].astype(np.uint64))))
        order = np.argsort(where)
        counts = self._per_document(where[order])
        totals = np.concatenate((np.zeros(1, np.uint64), np.cumsum(combine(what[order], places(counts)))))
        return np.diff(totals[starts_of(counts)])


def _characters(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hash of each character, and the number of characters of each document."""
    breaks = points == _BREAK
    return mix(points[~breaks].astype(np.uint64)), np.diff(np.flatnonzero(breaks), prepend=-1) - 1


def _shingles(units: np.ndarray, lengths: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the hash of each run of ``width`` units within a document, and how many each document has."""
    counts = np.maximum(lengths - width + 1, 0)
    first = np.repeat(starts_of(lengths)[:-1], counts) + places(counts)
    hashes = np.zeros(len(first), np.uint64)
    for offset in range(width):
        hashes = mix(hashes ^ units[first + offset])
    return hashes, counts


def _distinct(hashes: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of distinct hashes of each document, and the hashes in ascending order."""
    owner = np.repeat(np.arange(len(counts), dtype=np.uint16), counts)
    order = np.argsort(hashes)
    order = order[np.argsort(owner[order], kind="stable")]
    hashes, owner = hashes[order], owner[order]
    new = np.ones(len(hashes), bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owner[1:] != owner[:-1])
    return np.bincount(owner[new], minlength=len(counts)), hashes[new]
