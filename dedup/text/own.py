"""What a document has of its own: its shingles without boilerplate, told apart by its guard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dedup.text.hashing import mix
from dedup.text.ragged import listed, owners

__all__ = ["Own"]


@dataclass(frozen=True, slots=True)
class Own:
    """How documents are made ready to be compared.

    Parameters
    ----------
    boilerplate
        Shingles that count for nothing, ascending.
    fewest
        A document with fewer shingles of its own is an empty set: it is compared exactly only.
    """

    boilerplate: np.ndarray
    fewest: int

    def shingles(self, sizes: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return sizes and shingles of documents, document after document, without what is not their own."""
        kept = ~listed(values, self.boilerplate)
        owner = owners(sizes)
        counts = np.bincount(owner[kept], minlength=len(sizes))
        enough = (counts >= self.fewest) & (sizes >= self.fewest)
        kept &= enough[owner]
        return np.where(enough, counts, 0), values[kept]

    def elements(self, sizes: np.ndarray, values: np.ndarray, guards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return sizes and 63-bit elements that differ where shingle or guard does, each document's ascending.

        Two documents whose guards differ share none. At most 65,536 documents.
        """
        counts, values = self.shingles(sizes, values)
        elements = mix(values ^ mix(np.repeat(guards, counts))) >> np.uint64(1)
        order = np.argsort(elements)
        return counts, elements[order][np.argsort(owners(counts)[order].astype(np.uint16), kind="stable")]
