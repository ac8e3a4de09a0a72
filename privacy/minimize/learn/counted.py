"""Pair counts by GROUP BY: over Parquet through DuckDB, out of core, or through Spark, on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from privacy.minimize.evaluate.encoding import Cells, cells
from privacy.minimize.learn.generalize import Buckets, Generalization, Tally
from privacy.minimize.learn.growth import Part
from privacy.minimize.learn.layout import Layout, Split
from privacy.minimize.learn.sample import Pairs, apart, batches
from warehouse.fingerprint import parts, read_parquet_sql

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Counted", "Table", "duckdb_query", "spark_query"]

Table = Mapping[str, npt.NDArray[Any]]
"""Columns of an answer by name; -1 where a value is null."""
Way = tuple[tuple[Split, bool], ...]

_TOGETHER = 16
"""Columns counted in one statement."""


class Counted:
    """Counts parts by one GROUP BY pass for all the questions of a batch.

    A part is the way to it, a condition on codes. The left sides are counted; the right ones are what remains.

    Parameters
    ----------
    query
        Answers SQL about the relation ``source``, whose columns are ``c0``, ``c1``, ... (codes), ``g0``, ``g1``, ...
        (joint classes, as `batches` groups the variables), ``weight`` and ``support``.
    """

    ahead = True

    def __init__(self, layout: Layout, source: str, query: Callable[[str], Table]) -> None:
        self.layout = layout
        self._source = source
        self._query = query
        self._groups = batches(layout.sizes)
        self._root: Part | None = None

    def root(self) -> Part:
        """Return all rows."""
        if self._root is None:
            self._root = Part((), self._count([()])[0])
        return self._root

    def split(self, questions: Sequence[tuple[Part, Split]]) -> list[tuple[Part, Part]]:
        """Return the two sides of each part."""
        ways = [((*part.key, (split, True)), (*part.key, (split, False))) for part, split in questions]
        counted = self._count([left for left, _ in ways])
        return [
            (Part(left, pairs), Part(right, part.pairs - pairs))
            for (part, _), (left, right), pairs in zip(questions, ways, counted, strict=True)
        ]

    def tally(self, found: Generalization) -> Tally:
        """Count the combinations of a generalization's buckets."""
        kept = [column for column, size in enumerate(found.sizes) if size > 1]
        answer = self._query(self._tallying(found, kept))
        released = [answer[f"k{column}"].astype(np.intp) for column in kept]
        there = cells(released, len(answer["weight"]))
        buckets = np.zeros((there.count, len(found.buckets)), dtype=np.intp)
        for column, codes in zip(kept, released, strict=True):
            buckets[there.number, column] = codes
        alone = np.logical_and.reduce([answer[f"c{column}"] < 0 for column in self._personal])
        sums = [_sums(there.number, answer[name] * alone, there.count) for name in ("weight", "support")]
        return Tally(buckets, *sums, np.hstack([np.zeros((there.count, 0)), *self._told(answer, there)]))

    def _told(self, answer: Table, there: Cells) -> Iterator[npt.NDArray[np.float64]]:
        """Yield the weight of each value of each personal attribute in each combination."""
        for attribute in self.layout.personal:
            codes = answer[f"c{attribute.column}"]
            held = codes >= 0
            keys = there.number[held] * attribute.size + attribute.classes[codes[held]]
            yield _sums(keys, answer["weight"][held], there.count * attribute.size).reshape(there.count, -1)

    @property
    def _personal(self) -> list[int]:
        return sorted({attribute.column for attribute in self.layout.personal})

    def _tallying(self, found: Generalization, kept: Sequence[int]) -> str:
        buckets = [f"{_bucket(found.buckets[column], column)} AS k{column}" for column in kept]
        names, personal = [f"k{column}" for column in kept], [f"c{column}" for column in self._personal]
        sets = ", ".join(f"({', '.join(keys)})" for keys in (names, *([*names, column] for column in personal)))
        return f"""
            SELECT {", ".join([*names, *personal, ""])}
                CAST(sum(weight) AS BIGINT) AS weight, CAST(sum(support) AS BIGINT) AS support
            FROM (SELECT {", ".join([*buckets, *personal, ""])} weight, support FROM {self._source}) AS released
            GROUP BY GROUPING SETS ({sets})
        """  # noqa: S608 - column names and codes are numbers

    def _count(self, ways: Sequence[Way]) -> list[Pairs]:
        counted = [np.zeros((self.layout.bins, self.layout.width + 1)) for _ in ways]
        columns = range(len(self.layout.codings))
        for start in range(0, len(columns), _TOGETHER):
            some = columns[start : start + _TOGETHER]
            answer = self._query(self._statement(ways, some))
            for column in some:
                of_column = answer[f"c{column}"] >= 0
                self._fill(counted, column, {name: values[of_column] for name, values in answer.items()})
        return counted

    def _fill(self, counted: Sequence[Pairs], column: int, answer: Table) -> None:
        rows = self.layout.of(column)
        bins = self.layout.codings[column].bins
        alone = np.ones(len(answer["node"]), dtype=bool)
        for number, members in enumerate(self._groups):
            sizes = tuple(self.layout.sizes[member] for member in members)
            joint = answer[f"g{number}"]
            alone &= joint < 0
            table = np.zeros((len(counted), bins, int(np.prod(sizes))))
            held = joint >= 0
            table[answer["node"][held], answer[f"c{column}"][held], joint[held]] = answer["weight"][held]
            for pairs, part in zip(counted, apart(table, sizes), strict=True):
                pairs[rows, self.layout.classes_of(members)] = part
        for node, code, support in zip(
            answer["node"][alone], answer[f"c{column}"][alone], answer["support"][alone], strict=True
        ):
            counted[node][rows][code, -1] = support

    def _statement(self, ways: Sequence[Way], columns: Sequence[int]) -> str:
        groups = [f"g{number}" for number in range(len(self._groups))]
        codes = [f"c{column}" for column in columns]
        sets = [*(f"(node, {pair[0]}, {pair[1]})" for pair in product(codes, groups)), *(f"(node, {c})" for c in codes)]
        cases = " ".join(f"WHEN {_condition(way)} THEN {number}" for number, way in enumerate(ways))
        keys = ", ".join((*codes, *groups))
        return f"""
            SELECT node, {keys}, CAST(sum(weight) AS BIGINT) AS weight, CAST(sum(support) AS BIGINT) AS support
            FROM (SELECT CASE {cases} END AS node, {keys}, weight, support FROM {self._source}) AS numbered
            WHERE node IS NOT NULL
            GROUP BY GROUPING SETS ({", ".join(sets)})
        """  # noqa: S608 - column names and codes are numbers


@contextmanager
def duckdb_query(folder: Path) -> Iterator[tuple[str, Callable[[str], Table]]]:
    """Open the Parquet files of a folder in DuckDB; yield the name of the relation and what answers questions."""
    with duckdb.connect() as connection:
        connection.execute("SET temp_directory = ?", [str(folder / "spill")])

        def query(statement: str) -> Table:
            found = connection.sql(statement).to_arrow_table()
            return _columns(found)

        yield read_parquet_sql(parts(folder)), query


def spark_query(session: SparkSession, folder: Path) -> tuple[str, Callable[[str], Table]]:
    """Open the Parquet files of a folder in Spark; return the name of the relation and what answers questions."""
    session.read.parquet(str(folder)).createOrReplaceTempView("sluice_codes")

    def query(statement: str) -> Table:
        return _columns(session.sql(statement).toArrow())

    return "sluice_codes", query


def _columns(table: pa.Table) -> Table:
    return {name: pc.fill_null(table[name], -1).to_numpy() for name in table.column_names}


def _condition(way: Way) -> str:
    return " AND ".join(_answer(split, left=left) for split, left in way) or "TRUE"


def _sums(places: npt.NDArray[Any], weights: npt.NDArray[Any], count: int) -> npt.NDArray[np.float64]:
    return np.bincount(places, weights, count).astype(np.float64)


def _bucket(buckets: Buckets, column: int) -> str:
    whens = [f"WHEN {_among(column, buckets == number)} THEN {number}" for number in range(buckets.max() + 1)]
    return f"CASE {' '.join(whens)} END"


def _answer(split: Split, *, left: bool) -> str:
    return _among(split.column, split.left == left)


def _among(column: int, chosen: npt.NDArray[np.bool_]) -> str:
    codes = np.flatnonzero(chosen).tolist()
    runs = np.split(codes, np.flatnonzero(np.diff(codes) != 1) + 1) if codes else []
    ranges = [f"c{column} BETWEEN {run[0]} AND {run[-1]}" for run in runs]
    return f"({' OR '.join(ranges) or 'FALSE'})"
