"""The table of commands, which is read before any of them is imported."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

import flows.cli
from flows.cli import COMMANDS, sluice


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_where_the_table_says_and_its_help_begins_so(name: str) -> None:
    """Nobody is told of a command that is elsewhere, or does something else."""
    module, told = COMMANDS[name]
    command = sluice.get_command(click.Context(sluice), name)
    begin = " ".join(command.help.split())
    assert (name, f"flows.cli.{module}") == (command.name, command.callback.__module__)
    assert begin.startswith(told.rstrip(".")), (begin, told)


def test_the_table_knows_every_command() -> None:
    """What a module of the command line exports can be called."""
    modules = [path.stem for path in Path(flows.cli.__path__[0]).glob("[!_]*.py")]
    exported = [getattr(import_module(f"flows.cli.{module}"), "COMMANDS", ()) for module in modules]
    assert sorted(COMMANDS) == sorted({command.name for commands in exported for command in commands})
    assert sorted(COMMANDS) == list(COMMANDS)


def test_help_imports_no_command() -> None:
    """Asking what there is costs no more than the answer."""
    look = "print(sorted({'polars', 'duckdb'} & set(sys.modules)))"
    code = f"import sys; from flows.cli import _run; _run(['--help']); {look}"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert "[]" == ran.stdout.splitlines()[-1]
    assert all(f"  {name} " in ran.stdout for name in COMMANDS)


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """`sluice ... | head -1` says nothing of its own, for tables and for JSON, and ends as the shell has it."""
    for arguments in (["schema"], ["schema", "recipe"], ["schema", "problem", "--json"]):
        code = f"from flows.cli import _run; raise SystemExit(_run({arguments}))"
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]
        ) as process:
            process.stdout.close()
            said = process.stderr.read()
        assert (141, b"") == (process.returncode, said), arguments
