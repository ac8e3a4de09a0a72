"""64-bit mixing of whole arrays."""

from __future__ import annotations

import numpy as np

__all__ = ["combine", "mix"]

_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)


def mix(values: np.ndarray) -> np.ndarray:
    """Return a one-to-one scrambling of unsigned 64-bit integers.

    Source: the finaliser of SplitMix64 (Steele, Lea & Flood 2014, *Fast splittable pseudorandom number generators*).
    """
    values = values + _STEP
    values ^= values >> np.uint64(30)
    values *= _FIRST
    values ^= values >> np.uint64(27)
    values *= _SECOND
    values ^= values >> np.uint64(31)
    return values


def combine(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return hashes of ``(value, place)`` whose sum names a sequence, order included."""
    return mix(values ^ (places.astype(np.uint64) + np.uint64(1)) * _STEP)
