"""Where map work runs: in this process, or on PySpark executors, from the same functions."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from schemas.errors import MissingExtra, StageError, UsageError, did_you_mean

if TYPE_CHECKING:
    from pyspark import SparkConf, SparkContext

__all__ = ["Engine", "LocalEngine", "SparkEngine", "engine"]

T = TypeVar("T")
R = TypeVar("R")

_OLDEST_JAVA = 17
_CHUNKS_PER_CORE = 4
_QUIET = {
    "spark.app.name": "sluice",
    "spark.log.level": "OFF",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


class Engine(Protocol):
    """Runs a function over chunks of work; results come back in order, whatever the engine.

    As a context manager it ends with the block what it started.
    """

    name: str

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def map_chunks(self, function: Callable[[list[T]], Iterable[R]], items: Iterable[T], size: int) -> Iterator[R]:
        """Apply ``function`` to lists of at most ``size`` items and yield its results in input order.

        ``function`` must be importable where it runs (a module-level function or a `functools.partial` of one).
        """


class LocalEngine:
    """Runs everything in this process.

    Examples
    --------
    >>> list(LocalEngine().map_chunks(sorted, [3, 1, 2, 0], 2))
    [1, 3, 0, 2]
    """

    name = "local"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map_chunks(self, function: Callable[[list[T]], Iterable[R]], items: Iterable[T], size: int) -> Iterator[R]:
        """Apply ``function`` chunk by chunk."""
        for chunk in _chunks(items, size):
            yield from function(chunk)


class SparkEngine:
    """Runs chunks on PySpark executors, a wave of them at a time, so that neither side holds more than a wave.

    Parameters
    ----------
    master
        URL of a Spark master; by default the environment variable ``SLUICE_SPARK_MASTER``, else ``local[2]``. On a
        cluster, Sluice must be installed in the Python that its executors run.
    conf
        Further Spark settings, such as ``{"spark.executor.memory": "4g"}``. A session that already runs in this
        process is used as it is, and left running.

    Raises
    ------
    MissingExtra
        If PySpark is not installed.
    UsageError
        If there is no JDK, or one older than 17.
    """

    name = "spark"

    def __init__(self, master: str | None = None, conf: dict[str, str] | None = None) -> None:
        self.master = master or os.environ.get("SLUICE_SPARK_MASTER", "local[2]")
        self.conf = conf or {}
        self._started = False
        if importlib.util.find_spec("pyspark") is None:
            raise MissingExtra("pyspark", "spark")
        _require_java()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @cached_property
    def context(self) -> SparkContext:
        """The Spark context, started on first use."""
        from pyspark import SparkConf, SparkContext
        from pyspark.errors import PySparkException

        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        settings = _QUIET | (_LOOPBACK if self.master.startswith("local") else {}) | self.conf
        conf = SparkConf().setMaster(self.master).setAll([*settings.items()])
        try:
            with warnings.catch_warnings(action="ignore", category=FutureWarning):
                _launch(conf)
                self._started = SparkContext._active_spark_context is None  # noqa: SLF001 - PySpark tells no other way
                return SparkContext.getOrCreate(conf)
        except (PySparkException, OSError) as error:
            raise UsageError(
                f"Spark does not start with master {self.master!r}: {_reason(error)}.",
                hint="`spark-submit --version` shows whether Spark itself runs here.",
            ) from error

    def map_chunks(self, function: Callable[[list[T]], Iterable[R]], items: Iterable[T], size: int) -> Iterator[R]:
        """Apply ``function`` on the executors.

        Raises
        ------
        StageError
            If an executor fails; the last line of its error is named.
        """
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException

        chunks, cores = _chunks(items, size), self.context.defaultParallelism
        while wave := list(islice(chunks, cores * _CHUNKS_PER_CORE)):
            try:
                results = self.context.parallelize(wave, min(cores, len(wave))).flatMap(function).collect()
            except (Py4JJavaError, PySparkException) as error:  # the latter once a Spark session was made
                raise StageError(
                    f"a Spark executor failed: {_reason(error)}.",
                    hint="the same work with `engine: local` tells whether the data or the cluster is at fault.",
                ) from error
            yield from results

    def stop(self) -> None:
        """Stop the Spark context, if this engine started one."""
        if self._started:
            self.context.stop()
            del self.context
            self._started = False


_ENGINES: dict[str, Callable[..., Engine]] = {"local": LocalEngine, "spark": SparkEngine}


def engine(name: str, **settings: Any) -> Engine:
    """Return the engine called ``name``.

    Parameters
    ----------
    settings
        Parameters of that engine.

    Raises
    ------
    UsageError
        If there is none of that name.

    Examples
    --------
    >>> engine("local").name
    'local'
    """
    if name not in _ENGINES:
        raise UsageError(
            f"no engine is called {name!r}; known are {', '.join(_ENGINES)}.",
            hint=did_you_mean(name, _ENGINES),
        )
    return _ENGINES[name](**settings)


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _launch(conf: SparkConf) -> None:
    """Start the JVM with its messages turned off: what matters of them comes back as exceptions."""
    from pyspark import SparkContext
    from pyspark.java_gateway import launch_gateway

    if SparkContext._gateway is None:  # noqa: SLF001 - PySpark offers no other way to start its JVM quietly
        SparkContext._ensure_initialized(gateway=launch_gateway(conf, {"stderr": subprocess.DEVNULL}))  # noqa: SLF001


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    found = java and _java_version(java)
    if not found or found < _OLDEST_JAVA:
        state = f"{java} is version {found}" if found else f"{java or 'java'} cannot be run"
        raise UsageError(
            f"Spark needs a JDK {_OLDEST_JAVA} or newer; {state}.",
            hint="install one and let JAVA_HOME name its folder, or use `engine: local`.",
        )


def _java_version(java: str) -> int | None:
    """Return the major version of a JDK, or None where it does not run."""
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True).stderr  # noqa: S603 - the JDK of the person who runs this
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(match.group(1)) if match else None


def _reason(error: Exception) -> str:
    """Return the line of an executor's traceback that names the exception."""
    lines = [line.strip() for line in str(error).splitlines()]
    named = [line for line in lines if re.match(r"[A-Za-z_][\w.]*(Error|Exception|Failed|Broken)\b", line)]
    return (named or lines or [type(error).__name__])[0].rstrip(".")
