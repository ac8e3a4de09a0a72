"""Rows of a coded sample by their content: equal ones gathered under one weight, drawn and summed by their hashes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from privacy.minimize.learn.columns import Codes, Coding
from privacy.minimize.learn.sample import Sample
from schemas.ids import digest

__all__ = ["checksum", "collapse", "draw", "fingerprint", "row_hashes"]

_KEY_BITS = 62
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


def collapse(sample: Sample) -> Sample:
    """Return the distinct rows of a sample, with their summed weights; a sample with clients is left as it is."""
    if sample.clients is not None:
        return sample
    keys = _keys(sample)
    table = pl.DataFrame(keys).with_row_index("row")
    weight = pl.lit(1, dtype=pl.Int64) if sample.weights is None else pl.lit(pl.Series(sample.weights))
    groups = table.with_columns(weight=weight).group_by(list(keys)).agg(pl.col("row").min(), pl.col("weight").sum())
    if len(groups) == sample.rows:
        return sample
    groups = groups.sort("row")
    distinct = sample.take(groups["row"].to_numpy())
    return replace(distinct, weights=groups["weight"].to_numpy())


def row_hashes(sample: Sample, seed: int) -> npt.NDArray[np.uint64]:
    """Return a hash of each row's codes: the same for equal rows, whatever their order."""
    mixed = np.full(sample.rows, np.uint64(seed), dtype=np.uint64)
    for codes in (*sample.columns, *sample.targets):
        mixed += codes
        mixed *= _MIX
        mixed ^= mixed >> _SHIFT
    return mixed


def draw(sample: Sample, rows: int, seed: int) -> Sample:
    """Return about ``rows`` distinct rows, drawn by their content."""
    if sample.rows <= rows:
        return sample
    hashes = row_hashes(sample, seed)
    return sample.take(np.flatnonzero(hashes <= np.partition(hashes, rows - 1)[rows - 1]))


def checksum(sample: Sample) -> int:
    """Return the sum of the rows' hashes: the same for equal rows, in any order, in parts, or as weights."""
    weights = np.uint64(1) if sample.weights is None else sample.weights.astype(np.uint64)
    return int((row_hashes(sample, 1) * weights).sum(dtype=np.uint64))


def fingerprint(total: int, codings: Sequence[Coding]) -> str:
    """Return a hash of the rows whose checksum is ``total``, and of how often each value of their columns occurs."""
    kept = [[coding.name, list(coding.weights)] for coding in codings]
    return digest([total % (1 << 64), kept])


def _keys(sample: Sample) -> dict[str, pl.Series]:
    """Return whole rows as few integers."""
    keys: list[npt.NDArray[np.int64]] = []
    bits = _KEY_BITS + 1
    for codes, size in _sized(sample):
        width = max(size - 1, 1).bit_length()
        if bits + width > _KEY_BITS:
            keys.append(np.zeros(sample.rows, dtype=np.int64))
            bits = 0
        keys[-1] <<= width
        keys[-1] |= codes
        bits += width
    return {f"key{number}": pl.Series(key) for number, key in enumerate(keys)}


def _sized(sample: Sample) -> Iterator[tuple[Codes, int]]:
    yield from zip(sample.columns, (coding.bins for coding in sample.layout.codings), strict=True)
    yield from zip(sample.targets, sample.layout.targets, strict=True)
