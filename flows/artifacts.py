"""What a run leaves on Prefect's pages: log lines while it works, tables and a link when it is done."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from prefect.artifacts import create_link_artifact, create_table_artifact
from prefect.logging import get_run_logger

from flows.console import Bars, Lines, progress_for

__all__ = ["keep_report", "keep_table", "progress"]


def progress() -> Bars | Lines:
    """Return where a task tells how far it is: its run's log where that is kept, the console elsewhere."""
    logger = get_run_logger()
    return Lines(logger.info) if logger.isEnabledFor(logging.INFO) else progress_for()


def keep_table(dataset: str, what: str, rows: Iterable[Mapping[str, Any]], about: str) -> None:
    """Leave a table, which Prefect keeps beside those of the dataset's earlier runs."""
    create_table_artifact([dict(row) for row in rows], key=_key(dataset, what), description=about)


def keep_report(dataset: str, page: Path | str) -> None:
    """Leave a link to the HTML report of a run."""
    where = Path(page).absolute()
    create_link_artifact(where.as_uri(), link_text=str(where), key=_key(dataset, "report"), description="HTML report")


def _key(dataset: str, what: str) -> str:
    """Return the name under which Prefect keeps an artifact: lower-case letters, digits and dashes.

    Examples
    --------
    >>> _key("My_lake", "funnel")
    'my-lake-funnel'
    """
    return re.sub(r"[^a-z0-9]+", "-", f"{dataset} {what}".lower()).strip("-")
