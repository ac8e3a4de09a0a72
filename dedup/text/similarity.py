"""Exact Jaccard similarities of pairs of sets, in blocks that any engine can work on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from dedup.text.ragged import budgeted, starts_of
from dedup.text.store import SetStore
from warehouse.engines import Engine

__all__ = ["Block", "Pairs", "measure", "overlaps"]

_VALUES_IN_BLOCK = 4_000_000
_LARGEST = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of documents with their similarity, ``earlier < later``."""

    later: np.ndarray
    earlier: np.ndarray
    similarity: np.ndarray

    def take(self, which: np.ndarray | list[int]) -> Pairs:
        """Return some of the pairs, by mask or position."""
        return Pairs(self.later[which], self.earlier[which], self.similarity[which])

    @staticmethod
    def none() -> Pairs:
        """Return no pairs."""
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))

    @staticmethod
    def joined(parts: list[Pairs]) -> Pairs:
        """Return the pairs of all parts, ordered by the later document."""
        later = np.concatenate([part.later for part in parts])
        earlier = np.concatenate([part.earlier for part in parts])
        together = Pairs(later, earlier, np.concatenate([part.similarity for part in parts]))
        return together.take(np.argsort(later, kind="stable"))


@dataclass(frozen=True, slots=True)
class Block:
    """The elements of both sides of some pairs: sizes and ascending 63-bit values of each."""

    left_sizes: np.ndarray
    left_values: np.ndarray
    right_sizes: np.ndarray
    right_values: np.ndarray


def overlaps(blocks: list[Block]) -> list[np.ndarray]:
    """Return, per block, the number of elements that the two sides of each pair share."""
    return [
        np.diff(
            _rows(block.left_sizes, block.left_values).multiply(_rows(block.right_sizes, block.right_values)).indptr,
        )
        for block in blocks
    ]


def _rows(sizes: np.ndarray, values: np.ndarray) -> csr_array:
    matrix = csr_array(
        (np.ones(len(values), np.int8), values.view(np.int64), starts_of(sizes)),
        shape=(len(sizes), _LARGEST),
    )
    matrix.has_canonical_format = True
    return matrix


def measure(packed: Iterable[np.ndarray], store: SetStore, threshold: float, engine: Engine) -> Pairs:
    """Return those of the candidate pairs whose similarity is at least ``threshold``, ordered by later and earlier.

    Parameters
    ----------
    packed
        Candidates as `dedup.text.join.candidates` yields them, repetitions included.
    store
        The sets, by the documents' numbers; values below 2**63.
    """
    wanted = _distinct(packed)
    later, earlier = wanted >> 32, wanted & 0xFFFFFFFF
    costs = store.sizes[later] + store.sizes[earlier]
    blocks = _blocks(later, earlier, costs, store)
    shared = np.concatenate([np.zeros(0, np.int64), *engine.map_chunks(overlaps, blocks, 1)])
    similarity = shared / np.maximum(costs - shared, 1)
    near = similarity >= threshold
    return Pairs(later[near], earlier[near], similarity[near])


def _distinct(packed: Iterable[np.ndarray]) -> np.ndarray:
    found = list(packed)
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def _blocks(later: np.ndarray, earlier: np.ndarray, costs: np.ndarray, store: SetStore) -> Iterator[Block]:
    for cut in budgeted(costs, _VALUES_IN_BLOCK):
        a, b = later[cut], earlier[cut]
        yield Block(store.sizes[a], store.read(a), store.sizes[b], store.read(b))
