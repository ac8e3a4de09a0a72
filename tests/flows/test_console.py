"""Console output for terminals, pipes and machines."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest

from flows import console


def test_lines_tell_the_result_of_a_task() -> None:
    """Where there is no terminal, a task ends in one plain line."""
    told: list[str] = []
    lines = console.Lines(told.append)
    lines.start("read", 10)
    lines.advance("read", 10)
    lines.finish("read", "10 of 10 kept")

    assert ["read: 10 of 10 kept"] == told


def test_lines_tell_rate_and_remaining_time_of_long_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long work says how far it is, how fast, how long it will take, and the figures worth showing."""
    clock = iter([0.0, 20.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    told: list[str] = []
    lines = console.Lines(told.append)
    lines.start("rollouts", 100, "problems")
    lines.advance("rollouts", 40, tokens=12000)

    assert ["rollouts: 40 of 100 problems, 2/s, 30 s left, tokens 12,000"] == told


def test_bars_survive_work_that_was_never_announced() -> None:
    """Progress about an unknown task is no error."""
    bars = console.Bars(console.Console(file=io.StringIO()))
    bars.advance("unknown")
    bars.finish("unknown", "done")

    assert {} == bars._tasks


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, ""), (1234, "1,234"), (0.90243902, "0.902439"), (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00")],
)
def test_cells_are_written_as_people_read_them(value: object, expected: str) -> None:
    """Numbers with separators, times to the second, nothing for null."""
    assert expected == console._cell(value)


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """What machines read parses as it is."""
    console.print_json([{"a": 1, "text": "ü"}])

    assert [{"a": 1, "text": "ü"}] == json.loads(capsys.readouterr().out)


def test_what_files_hold_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters are written out, and brackets are no markup: in titles, headings, cells and lines."""
    console.table("of [x]", ["\x1b]0;[b]"], [["\x1b[2J[/b]"]])
    console.errors.print("no \x9b1m such column", markup=False)
    shown = capsys.readouterr()

    assert ["of [x]", r"\x1b]0;[b]", r"\x1b[2J[/b]"] == [line.rstrip() for line in shown.out.splitlines()]
    assert "no \\x9b1m such column\n" == shown.err
