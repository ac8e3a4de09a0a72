"""Engines: the same results in the same order, and clear words where Spark cannot run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import MissingExtra, StageError, UsageError
from warehouse.engines import LocalEngine, SparkEngine, engine

LOUD = partial(map, str)


def _java(home: Path, version: str) -> None:
    java = home / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    java.chmod(0o755)


@given(items=st.lists(st.integers()), size=st.integers(1, 8))
def test_local_chunks_hold_at_most_size_items_in_order(items: list[int], size: int) -> None:
    """Chunks joined are the items; all but the last are full."""
    chunks = list(LocalEngine().map_chunks(lambda chunk: [chunk], items, size))
    assert items == [item for chunk in chunks for item in chunk]
    assert [size] * (len(items) // size) == [len(chunk) for chunk in chunks if len(chunk) == size]


def test_local_work_streams() -> None:
    """The first result is there before the second chunk is read."""
    read: list[int] = []

    def source() -> Iterator[int]:
        for number in range(10):
            read.append(number)
            yield number

    assert 0 == next(LocalEngine().map_chunks(sorted, source(), 2))
    assert [0, 1] == read


@pytest.mark.parametrize(("items", "size"), [(0, 3), (1, 1), (50, 7), (40, 1)])
def test_spark_gives_what_local_gives(spark: SparkEngine, items: int, size: int) -> None:
    """Results come back in input order, whatever the number of chunks and waves."""
    expected = list(LocalEngine().map_chunks(LOUD, range(items), size))
    assert expected == list(spark.map_chunks(LOUD, iter(range(items)), size))


def test_spark_reads_its_input_a_wave_at_a_time(spark: SparkEngine) -> None:
    """The driver never holds more than a wave of the input."""
    read: list[int] = []

    def source() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    assert "0" == next(spark.map_chunks(LOUD, source(), 1))
    assert 8 == len(read)


def test_a_failing_executor_is_a_clear_error(spark: SparkEngine) -> None:
    """The exception of the executor is named without its traceback."""
    with pytest.raises(StageError, match=r"executor failed: ValueError: invalid literal for int.*'x'\.\n"):
        list(spark.map_chunks(partial(map, int), ["1", "x"], 1))


def test_a_failing_executor_is_as_clear_beside_a_session(spark: SparkEngine) -> None:
    """PySpark's own exceptions, which a session of SQL turns errors into, are told alike."""
    from pyspark.sql import SparkSession

    SparkSession(spark.context)
    with pytest.raises(StageError, match=r"executor failed: ValueError: invalid literal for int.*'x'\.\n"):
        list(spark.map_chunks(partial(map, int), ["1", "x"], 1))


def test_the_spark_context_starts_on_first_use_only() -> None:
    """Making an engine costs no JVM."""
    assert "context" not in vars(SparkEngine())


def test_an_engine_leaves_a_session_that_it_did_not_start(spark: SparkEngine) -> None:
    """Whoever started the session goes on using it."""
    with engine("spark") as other:
        assert ["1"] == list(other.map_chunks(LOUD, [1], 1))
    assert ["2"] == list(spark.map_chunks(LOUD, [2], 1))


_OWN_SESSION = """
from functools import partial
from pyspark import SparkContext
from warehouse.engines import engine

with engine("spark", master="local[1]") as own:
    print(*own.map_chunks(partial(map, str), [1, 2], 1), SparkContext._active_spark_context is not None)
print(SparkContext._active_spark_context)
"""


def test_an_engine_ends_the_session_that_it_started(spark: SparkEngine) -> None:
    """After the block no Spark context is left, and the process ends without one."""
    del spark
    done = subprocess.run([sys.executable, "-c", _OWN_SESSION], capture_output=True, text=True, check=True)
    assert ["1 2 True", "None"] == done.stdout.splitlines()


def test_spark_without_pyspark_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone who did not install the extra is told how to."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(MissingExtra, match=r"sluice\[spark\]"):
        engine("spark")


@pytest.mark.parametrize(
    ("version", "message"), [("11.0.2", "is version 11"), ("1.8.0_392", "is version 8"), (None, "cannot be run")]
)
def test_spark_without_a_recent_jdk_says_so(
    version: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old JDK and a missing one are told apart, before any JVM starts."""
    if version:
        _java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=f"JDK 17 or newer; .*{message}"):
        engine("spark")


def test_a_recent_jdk_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 17 and later pass, and the master comes from the environment."""
    _java(tmp_path, "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("SLUICE_SPARK_MASTER", "spark://example:7077")
    assert "spark://example:7077" == engine("spark").master


def test_an_unknown_engine_is_refused_with_the_nearest() -> None:
    """A misspelt engine gets a suggestion."""
    with pytest.raises(UsageError, match="did you mean 'spark'"):
        engine("sparc")
