"""Console output for terminals, pipes and machines."""

from __future__ import annotations

import io
import json
import shlex
from datetime import UTC, datetime
from pathlib import Path

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


def test_bars_of_work_cut_short_give_the_terminal_back() -> None:
    """Before an error is printed, bars are taken away and the cursor, hidden while they move, is shown."""
    terminal = io.StringIO()
    bars = console.Bars(console.Console(file=terminal, force_terminal=True))
    bars.start("judge", 10)
    hidden = terminal.getvalue()
    console.take_bars_away()

    assert "\x1b[?25l" in hidden
    assert "\x1b[?25h" not in hidden
    assert "\x1b[?25h" in terminal.getvalue()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, ""), (1234, "1,234"), (0.90243902, "0.902439"), (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00")],
)
def test_cells_are_written_as_people_read_them(value: object, expected: str) -> None:
    """Numbers with separators, times to the second, nothing for null."""
    assert expected == console._cell(value)


def test_rows_too_wide_for_a_table_stand_one_below_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    """Few columns make a table, however long a text is; many make a line per value, with nothing left out."""
    console.records(["id", "text"], [(1, "word " * 60)])
    table = capsys.readouterr().out
    columns = [f"column {number}" for number in range(12)]
    console.records(columns, [["value " * 9] * 12, ["x" * 500, *range(1000, 1011)]])
    shown = capsys.readouterr().out

    assert ["id", "text"] == table.splitlines()[0].split()
    assert 60 == table.count("word")
    assert ["row 1", "row 2"] == [line.strip() for line in shown.splitlines() if line.startswith("row")]
    assert (108, 500) == (shown.count("value"), shown.count("x"))
    assert ["column 11", "1,010"] == shown.splitlines()[-1].rstrip().split("  ")


def test_a_table_that_is_a_little_too_wide_is_set_closer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns stand one space apart instead of two, so that no word is broken."""
    for width, expected in ((12, "attack  share\nguess    0.43\n"), (11, "attack share\nguess   0.43\n")):
        out = io.StringIO()
        monkeypatch.setattr(console, "console", console.Console(file=out, width=width + 1, highlight=False))
        console.table("", ("attack", "share"), [("guess", 0.43)], right=("share",))
        assert expected == out.getvalue()


def test_a_terminal_is_not_flooded_with_long_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal the first rows and the beginnings of long values are shown, and how much more there is."""
    out = io.StringIO()
    monkeypatch.setattr(console, "console", console.Console(file=out, force_terminal=True, width=80, highlight=False))
    console.records(["id", "long", "other"], [(number, "x" * 5000, "y" * 60) for number in range(30)])
    shown = out.getvalue()

    assert (20, 20 * 1000, 20) == (shown.count("row "), shown.count("x"), shown.count("(5,000 characters)"))
    assert "20 of 30 rows are shown: name fewer columns, or give --json" in shown


def test_paths_are_short_where_they_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path below the working folder is told from there, any other whole."""
    monkeypatch.chdir(tmp_path)

    assert ("a/b", "/c") == (console.short_path(tmp_path / "a" / "b"), console.short_path("/c"))


def test_the_next_commands_can_be_pasted_into_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever names of people hold, each argument arrives as one."""
    commands = [("sql", "FROM runs WHERE id = 'r1'", "-w", Path("my house")), ("why", "f/1 [x]"), ("why", "it's $5")]
    console.next_steps(*commands)
    shown = [shlex.split(line)[1:] for line in capsys.readouterr().out.splitlines() if line.startswith("  sluice ")]
    assert [[str(argument) for argument in command] for command in commands] == shown


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
