"""SQLite files, opened for one transaction each, with what goes wrong told as an error of the warehouse."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import WarehouseError

__all__ = ["transaction"]

_PATIENCE_S = 60
_PAUSE_S = 0.005


@contextmanager
def transaction(
    path: Path, prepare: Callable[[sqlite3.Connection], object], *, hint: str
) -> Iterator[sqlite3.Connection]:
    """Open a file, made on first use, for what is committed together or, after an exception, not at all.

    Parameters
    ----------
    prepare
        Sets the connection up, and makes the tables where they are not there; done again while the file is held.
    hint
        What a person can do if the file cannot be used.

    Raises
    ------
    WarehouseError
        If it cannot be used, is damaged, or another process holds it for a minute.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "words.sqlite"
    >>> table = "CREATE TABLE IF NOT EXISTS words (word TEXT)"
    >>> with transaction(path, lambda new: new.execute(table), hint="delete it.") as open_file:
    ...     open_file.execute("INSERT INTO words VALUES ('ship')").rowcount
    1
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_PATIENCE_S)
        try:
            _patiently(prepare, connection)
            with connection:
                yield connection
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        raise WarehouseError(f"{path} cannot be used: {error}.", hint=hint) from error


def _patiently(prepare: Callable[[sqlite3.Connection], object], connection: sqlite3.Connection) -> None:
    """Prepare; a change of the journal's mode fails at once, however patient the connection is."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            prepare(connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_PAUSE_S)
        else:
            return
