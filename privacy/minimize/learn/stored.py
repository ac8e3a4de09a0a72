"""A coded sample on disk: written in batches, so that a table of any size is learned from in flat memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from privacy.minimize.learn.binning import Binning
from privacy.minimize.learn.counted import Counted, Table, duckdb_query, spark_query
from privacy.minimize.learn.distinct import checksum, collapse, draw
from privacy.minimize.learn.sample import Sample, concatenated
from schemas.minimize import Fit
from warehouse.engines import SparkEngine

__all__ = ["Stored", "counted"]

_BATCH = 250_000


@dataclass(frozen=True)
class Stored:
    """What is kept in memory of a sample on disk.

    Parameters
    ----------
    source
        Counts its parts.
    scouts
        Rows drawn from it.
    checksum
        Sum of its rows' hashes.
    """

    source: Counted
    scouts: Sample
    rows: int
    checksum: int


@contextmanager
def counted(frame: pl.LazyFrame, binning: Binning, scouts: int) -> Iterator[Stored]:
    """Write a table's codes, and yield what counts them on the engine that the configuration names.

    Parameters
    ----------
    scouts
        Rows to draw.

    Raises
    ------
    MissingExtra, UsageError
        If Spark is asked for and cannot run.
    """
    config = binning.config
    with tempfile.TemporaryDirectory(dir=config.scratch) as name:
        folder = Path(name) / "codes"
        folder.mkdir()
        rows, total, drawn = _write(frame, binning, folder, scouts)
        with _engine(config, folder) as (relation, query):
            yield Stored(Counted(binning.layout, relation, query), drawn, rows, total)


@contextmanager
def _engine(config: Fit, folder: Path) -> Iterator[tuple[str, Callable[[str], Table]]]:
    if config.engine == "duckdb":
        with duckdb_query(folder) as opened:
            yield opened
        return
    with SparkEngine() as engine:
        from pyspark.sql import SparkSession

        yield spark_query(SparkSession(engine.context), folder)


def _write(frame: pl.LazyFrame, binning: Binning, folder: Path, scouts: int) -> tuple[int, int, Sample]:
    rows, total, drawn = 0, 0, None
    for number, batch in enumerate(binning.select(frame).collect_batches(chunk_size=_BATCH, maintain_order=False)):
        sample = binning.encode(batch)
        _table(sample).write_parquet(folder / f"{number:06d}.parquet")
        rows += sample.rows
        total += checksum(sample)
        known = sample if drawn is None else concatenated([_weighted(drawn), _weighted(sample)])
        drawn = draw(collapse(known), scouts, binning.config.seed)
    assert drawn is not None  # a binning is learned from at least one row
    return rows, total, drawn


def _table(sample: Sample) -> pl.DataFrame:
    codes = {f"c{number}": codes for number, codes in enumerate(sample.columns)}
    classes = {f"g{number}": group.codes for number, group in enumerate(sample.groups)}
    weights = np.ones(sample.rows, dtype=np.int64) if sample.weights is None else sample.weights
    support = weights if sample.support is None else sample.support
    return (
        pl.DataFrame(codes | classes)
        .select(pl.all().cast(pl.Int32))
        .with_columns(weight=pl.Series(weights), support=pl.Series(support))
    )


def _weighted(sample: Sample) -> Sample:
    if sample.weights is not None:
        return sample
    return replace(sample, weights=np.ones(sample.rows, dtype=np.int64))
