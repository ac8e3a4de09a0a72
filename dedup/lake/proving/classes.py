"""Tables that hold the same rows, and the fewest edges that say which class is contained in which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from dedup.lake.proving.min_max import Pairs

__all__ = ["Classes", "classes"]


@dataclass(frozen=True, slots=True)
class Classes:
    """What edges say of tables.

    Parameters
    ----------
    first
        For each table the smallest number in its class.
    equal
        For each edge whether both tables are of one class.
    reduced
        For each edge whether it joins two classes with no class in between.
    """

    first: np.ndarray
    equal: np.ndarray
    reduced: np.ndarray


def classes(edges: Pairs, tables: int) -> Classes:
    """Collapse tables that contain each other, and reduce what is left.

    Containment is a preorder: its classes are its strongly connected components, and as edges are transitively
    closed, an edge is redundant if and only if two others lead from its child to its parent.
    """
    graph = csr_array((np.ones(len(edges), np.int8), (edges.children, edges.parents)), shape=(tables, tables))
    _, label = connected_components(graph, connection="strong")
    first = np.full(label.max(initial=-1) + 1, tables)
    np.minimum.at(first, label, np.arange(tables))
    child, parent = first[label[edges.children]], first[label[edges.parents]]
    equal = child == parent
    between = np.unique(np.stack([child[~equal], parent[~equal]], axis=1), axis=0)
    ones = np.ones(len(between), np.int32)
    quotient = csr_array((ones, (between[:, 0], between[:, 1])), shape=(tables, tables))
    twice = (quotient @ quotient)[child, parent] if len(between) else np.zeros(len(edges), np.int32)
    return Classes(first[label], equal, ~equal & (np.asarray(twice).ravel() == 0))
