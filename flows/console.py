"""What a person sees: progress bars in a terminal, plain lines elsewhere, JSON for machines."""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

__all__ = [
    "Bars",
    "Lines",
    "Unread",
    "bars",
    "console",
    "errors",
    "next_steps",
    "plain",
    "print_json",
    "print_text",
    "progress_for",
    "records",
    "short_path",
    "table",
    "take_bars_away",
    "words",
]

_LINE_EVERY = 10.0

_WIDE = 200
_COLUMN = 40
"""Characters of a column that are not folded where there is room for them."""
_RECORDS, _VALUE = 20, 1_000
"""Records, and characters of a value, that are shown one below the other in a terminal."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    r"""Return text whose control characters are written out, so that what a file holds never steers a terminal.

    Examples
    --------
    >>> plain("\x1b[31mred")
    '\\x1b[31mred'
    """
    return _CONTROL.sub(lambda control: control[0].encode("unicode_escape").decode(), text)


class Unread(Exception):
    """Whoever read what is printed, such as ``head``, has seen enough."""


class _Plain(Console):
    """Prints texts plainly."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(plain(one) if isinstance(one, str) else one for one in objects), **options)

    def say(self, text: str) -> None:
        """Print text as it is: what people have named is no markup, and a path is not broken over lines."""
        self.print(text, markup=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        raise Unread


console = _Plain(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
errors = _Plain(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _WIDE)


_live: set[Progress] = set()


class Bars:
    """Progress bars for a terminal; finished tasks stay as one line each."""

    def __init__(self, out: Console = errors) -> None:
        self._out = out
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<14}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            console=out,
            transient=True,
        )

    def start(self, task: str, total: int | None = None, unit: str = "rows") -> None:
        """Show a bar for ``task``."""
        if not self._progress.live.is_started:
            self._progress.start()
            _live.add(self._progress)
        self._tasks[task] = self._progress.add_task(task, total=total, rate="", unit=unit)

    def advance(self, task: str, done: int = 1, **figures: float) -> None:
        """Move the bar and show rate and figures."""
        name = self._tasks.get(task)
        if name is None:
            return
        state = self._progress.tasks[self._progress.task_ids.index(name)]
        speed = f"{state.speed:,.0f} {state.fields['unit']}/s " if state.speed else ""
        extra = " ".join(f"{key} {value:,.0f}" for key, value in figures.items() if value)
        self._progress.update(name, advance=done, rate=speed + extra)

    def finish(self, task: str, summary: str = "") -> None:
        """Take the bar away and leave a line."""
        if (name := self._tasks.pop(task, None)) is not None:
            self._progress.remove_task(name)
        if not self._tasks and self._progress.live.is_started:
            self._progress.stop()
            _live.discard(self._progress)
        if summary:
            self._out.print(f"[green]✓[/] {escape(f'{task:<14} {summary}')}")

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        self._out.print(f"[dim]{escape(text)}[/]")


class Lines:
    """Plain lines, one every few seconds, for logs and pipes.

    Parameters
    ----------
    tell
        What takes a line, such as a logger's method; by default it is written to standard error.
    """

    def __init__(self, tell: Callable[[str], object] | None = None) -> None:
        self._tell = tell or _to_stderr
        self._state: dict[str, list[float]] = {}
        self._totals: dict[str, tuple[int | None, str]] = {}

    def start(self, task: str, total: int | None = None, unit: str = "rows") -> None:
        """Remember the task."""
        now = time.monotonic()
        self._state[task] = [0.0, now, now]
        self._totals[task] = (total, unit)

    def advance(self, task: str, done: int = 1, **figures: float) -> None:
        """Print a line when the last one is old."""
        if (state := self._state.get(task)) is None:
            return
        state[0] += done
        now = time.monotonic()
        if now - state[2] < _LINE_EVERY:
            return
        state[2] = now
        total, unit = self._totals[task]
        rate = state[0] / max(now - state[1], 1e-9)
        left = f", {(total - state[0]) / rate:.0f} s left" if total and rate else ""
        extra = "".join(f", {key} {value:,.0f}" for key, value in figures.items() if value)
        self._tell(f"{task}: {state[0]:,.0f}{f' of {total:,}' if total else ''} {unit}, {rate:,.0f}/s{left}{extra}")

    def finish(self, task: str, summary: str = "") -> None:
        """Print the result."""
        self._state.pop(task, None)
        if summary:
            self._tell(f"{task}: {summary}")

    def note(self, text: str) -> None:
        """Print the line."""
        self._tell(text)


def _to_stderr(line: str) -> None:
    print(plain(line), file=sys.stderr, flush=True)  # noqa: T201 - this is the console


def take_bars_away() -> None:
    """Take away the bars of work that was cut short, which would run into what is printed next; show the cursor."""
    while _live:
        _live.pop().stop()


def progress_for(*, machine: bool = False) -> Bars | Lines:
    """Return bars in a terminal, lines otherwise; both write to standard error."""
    return Bars() if errors.is_terminal and not machine else Lines()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """Print a table, closer set where it would be too wide; ``right`` names the columns of figures."""
    rows = list(rows)
    width = sum(widest + 2 for widest in _widths(columns, rows)) - 2
    shown = Table(header_style="dim", box=None, pad_edge=False, collapse_padding=width > console.width)
    for column in columns:
        shown.add_column(Text(plain(column)), justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(plain(_cell(value))) for value in row))
    if title:
        console.print(f"[bold]{escape(title)}[/]", soft_wrap=True)
    console.print(shown)


def records(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """Print rows as a table or, where that would be too wide to read, one value below the other.

    In a terminal the latter is cut to the first rows, and long values to their beginnings.
    """
    if sum(min(width, _COLUMN) + 2 for width in _widths(columns, rows)) <= console.width + 2:
        table("", columns, rows, right=right)
        return
    listed = rows[:_RECORDS] if console.is_terminal else rows
    for number, row in enumerate(listed, start=1):
        shown = Table.grid(padding=(0, 2))
        for column, value in zip(columns, row, strict=True):
            shown.add_row(Text(plain(column), style="dim"), Text(_cut(plain(_cell(value))), overflow="fold"))
        console.print(f"[bold]row {number:,}[/]", shown)
    if len(listed) < len(rows):
        console.print(f"[dim]{len(listed)} of {len(rows):,} rows are shown: name fewer columns, or give --json[/]")


def _widths(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
    return [max(map(_width, cells)) for cells in zip(columns, *rows, strict=True)]


def _width(value: Any) -> int:
    return max(map(cell_len, _cell(value).split("\n")))


def words(name: str) -> str:
    """Return a name as words, between which a line may end.

    Examples
    --------
    >>> words("worst_attribute")
    'worst attribute'
    """
    return name.replace("_", " ")


def _cut(text: str) -> str:
    if len(text) <= _VALUE or not console.is_terminal:
        return text
    return f"{text[:_VALUE]}… ({len(text):,} characters)"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def next_steps(*commands: Sequence[object]) -> None:
    """Print the commands of `sluice` that come next, each given as its arguments, to be pasted into a shell."""
    console.print("\n[bold]Next[/]")
    for command in commands:
        console.say(" ".join(["  sluice", *map(_quoted, command)]))


def _quoted(argument: object) -> str:
    text = str(argument)
    easier = "'" in text and not set(text) & set('"$`\\!')
    return f'"{text}"' if easier else shlex.quote(text)


def short_path(path: Path | str) -> str:
    """Return a path as a person would type it here: from the working folder, if it lies there."""
    path, here = Path(path), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON document."""
    print_text(json.dumps(value, indent=1, default=str, ensure_ascii=False))


def print_text(text: str) -> None:
    """Print a document as it is, for machines and files."""
    try:
        print(text.removesuffix("\n"), flush=True)  # noqa: T201 - this is the console
    except BrokenPipeError:
        raise Unread from None


def bars(title: str, counts: Mapping[str, int], width: int = 40) -> None:
    """Draw counts as horizontal bars."""
    most = max(counts.values(), default=0) or 1
    console.print(f"\n[bold]{title}[/]")
    for label, count in counts.items():
        console.print(f"  {label:>9} [cyan]{'█' * round(width * count / most)}[/] {count:,}")
