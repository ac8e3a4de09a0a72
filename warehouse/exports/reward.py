"""The reward function that travels with an export: judged by the judge that curated.

``reward/sluice_reward.py`` is a module for the trainer's process; ``reward/problems.sqlite`` holds verifier and tests
by problem id, so that they need not travel through the trainer's batches.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import duckdb

from warehouse.fingerprint import read_parquet_sql
from warehouse.release.order import BATCH

__all__ = ["write_reward"]


def write_reward(folder: Path, rows: Sequence[Path]) -> None:
    """Write the reward module and the problems it judges into ``folder``."""
    folder.mkdir(parents=True)
    module = files("warehouse.exports") / "templates" / "sluice_reward.py.txt"
    (folder / "sluice_reward.py").write_text(module.read_text(encoding="utf-8"), encoding="utf-8")
    query = f"""
        SELECT problem_id, any_value(verifier), any_value(tests), any_value(starter_code)
        FROM {read_parquet_sql(rows)} GROUP BY problem_id ORDER BY problem_id
    """  # noqa: S608 - paths are quoted
    with duckdb.connect() as source, closing(sqlite3.connect(folder / "problems.sqlite")) as store, store:
        store.execute(
            "CREATE TABLE problems (problem_id TEXT PRIMARY KEY, verifier TEXT, tests TEXT, starter_code TEXT)"
        )
        found = source.execute(query)
        while batch := found.fetchmany(BATCH):
            store.executemany("INSERT INTO problems VALUES (?, ?, ?, ?)", batch)
