"""Which tables hold all the columns of which others.

Tables of one schema are taken together, and the schemas that hold a given one are the intersection of the lists of
its columns, kept as bit sets: so no pair of tables is ever enumerated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Group", "clusters", "schema_groups", "supersets"]

Key = tuple[str, str]
Schema = frozenset[Key]


@dataclass(frozen=True, slots=True)
class Group:
    """Tables of one schema, and all tables that hold its columns.

    Parameters
    ----------
    columns
        Names of the schema's columns, sorted.
    children
        Numbers of the tables whose schema it is.
    parents
        Numbers of the tables that hold all of its columns, the children among them.
    """

    columns: tuple[str, ...]
    children: tuple[int, ...]
    parents: tuple[int, ...]

    @property
    def edges(self) -> int:
        """Ordered pairs of a child and another table that holds its columns."""
        return len(self.children) * (len(self.parents) - 1)


def supersets(schemas: Sequence[Schema]) -> list[list[int]]:
    """Return for each distinct schema the numbers of those that hold all of its columns, itself among them.

    Examples
    --------
    >>> supersets([frozenset("ab"), frozenset("abc"), frozenset("b")])
    [[0, 1], [1], [0, 1, 2]]
    """
    holders: dict[Key, int] = defaultdict(int)
    for number, schema in enumerate(schemas):
        for column in schema:
            holders[column] |= 1 << number
    everything = (1 << len(schemas)) - 1
    found = []
    for schema in schemas:
        common = everything
        for column in sorted(schema, key=lambda column: holders[column].bit_count()):
            common &= holders[column]
        found.append(_members(common))
    return found


def schema_groups(schemas: Sequence[Schema]) -> list[Group]:
    """Return the groups of tables that may be contained in another, given the schema of each table.

    Parameters
    ----------
    schemas
        Per table the keys of its columns: a name, and what the policy says of its type.
    """
    members: dict[Schema, list[int]] = defaultdict(list)
    for table, schema in enumerate(schemas):
        members[schema].append(table)
    distinct = list(members)
    groups = []
    for schema, holding in zip(distinct, supersets(distinct), strict=True):
        parents = sorted(table for number in holding for table in members[distinct[number]])
        if len(parents) > 1:
            names = tuple(sorted(key[0] for key in schema))
            groups.append(Group(names, tuple(members[schema]), tuple(parents)))
    return groups


def clusters(schemas: Sequence[Schema]) -> list[list[int]]:
    """Return the clusters of R2D2's schema graph builder: numbers of tables, the centre first.

    Schemas are scanned from the largest; each joins every cluster whose centre holds it, or opens one. If S(c) is in
    S(p), whatever centre holds p holds c, so both stand in one cluster and no edge is missed.

    Source: Shah et al. 2024, *R2D2: Reducing Redundancy and Duplication in Data Lakes* (SGB).
    """
    found: list[list[int]] = []
    for table in sorted(range(len(schemas)), key=lambda table: (-len(schemas[table]), table)):
        joined = [cluster for cluster in found if schemas[table] <= schemas[cluster[0]]]
        for cluster in joined:
            cluster.append(table)
        if not joined:
            found.append([table])
    return found


def _members(bits: int) -> list[int]:
    numbers = []
    while bits:
        lowest = bits & -bits
        numbers.append(lowest.bit_length() - 1)
        bits ^= lowest
    return numbers
