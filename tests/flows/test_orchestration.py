"""Prefect for runs started here: the server of the run is the one that its flows talk to."""

from __future__ import annotations

from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_LEVEL


def test_prefect_talks_to_the_server_though_it_was_imported_before(server: str) -> None:
    """Prefect reads its settings when it is imported, and would start a server of its own; it is told to read again."""
    assert (server, "CRITICAL") == (PREFECT_API_URL.value(), PREFECT_LOGGING_LEVEL.value())
