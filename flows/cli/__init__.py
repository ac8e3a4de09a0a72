"""The command line: ``sluice VERB``."""

from __future__ import annotations

import io
import os
import sys
import traceback
from importlib import import_module

import click

from flows.console import Unread, errors, take_bars_away
from schemas.errors import SluiceError

__all__ = ["COMMANDS", "main", "sluice"]

COMMANDS = {
    "admit-tests": ("judge", "Admit tests that a model wrote for DATASET by evidence."),
    "audit": ("versions", "Hold a published version against its contract again."),
    "clean": ("house", "Remove what no version needs: orphan branches, files and unfinished work."),
    "compare": ("data", "Compare the pass rates of two checkpoints (POLICY@REVISION each), problem by problem."),
    "dedup": ("dedup", "Find what is redundant, with proof."),
    "diff": ("versions", "Compare two versions record by record: added, removed, and changed column by column."),
    "doctor": (
        "house",
        "Tell what this machine can do: packages, extras, isolation of judged code, state of the warehouse.",
    ),
    "drive": ("drive", "Follow DRIVE's phases (arXiv 2511.06307)."),
    "export": (
        "hand_off",
        "Write a version as a trainer reads it, or say why the trainer would not read it as published.",
    ),
    "minimize": (
        "minimize",
        "Collect client data no finer than the task needs: learn a policy, review it, apply it, audit it.",
    ),
    "plan": ("build", "Show what a run would do: what is cached, what would run, rows and cost."),
    "publish": ("build", "Audit and publish what `sluice run --no-publish` built."),
    "push": (
        "hand_off",
        "Push the release of NAME@VERSION to a folder, a store that fsspec knows, or hf://datasets/OWNER/NAME.",
    ),
    "rollback": ("versions", "Let readers of `latest` see an older version again; no version is lost."),
    "run": ("build", "Build, audit, publish and export what a recipe asks for."),
    "schema": (
        "build",
        "Print a contract, or the JSON Schema of a file (recipe, policy, fit); without a name, list all.",
    ),
    "show": ("versions", "List the datasets, or the versions and phases of one (NAME or NAME@VERSION)."),
    "sql": ("data", "Ask the warehouse in SQL (DuckDB, read-only)."),
    "verify": ("judge", "Judge ANSWERS (JSON lines of problem_id and answer) to the problems of DATASET."),
    "verify-release": ("hand_off", "Check a release folder against its manifest; needs no warehouse."),
    "why": ("data", "Tell the story of a record, kept or dropped: where it came from and what each stage decided."),
}
"""Each command's module in `flows.cli`, and how its help begins."""

_INTERRUPTED = 130
_UNREAD = 141  # as the shell has it where `| head` has read enough
_UNEXPECTED = 1


class _Commands(click.Group):
    """Imports a command's module when the command is asked for: many take longer to import than to run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"flows.cli.{COMMANDS[cmd_name][0]}")
        return next(command for command in module.COMMANDS if command.name == cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="sluice")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def sluice(context: click.Context, *, debug: bool) -> None:
    """Build, audit, publish and hand off the datasets that RL and fine-tuning train on."""
    context.obj = {"debug": debug}


def main() -> None:
    """Run the command line; an error is one line and a hint, with the exit codes of `schemas.errors`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # where a terminal knows few letters, a bar is not worth the run
    code = _run(sys.argv[1:])
    if code == _INTERRUPTED:
        # threads that wait for an answer would be waited for
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    try:
        return _asked(arguments)
    except Unread:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left is for nobody
        return _UNREAD
    except SluiceError as error:
        if debug:
            traceback.print_exc()
        return _fail(error.message, error.hint, error.exit_code)
    except click.ClickException as error:
        asked = context.command_path if (context := getattr(error, "ctx", None)) else "sluice"
        return _fail(error.format_message(), f"`{asked} --help` tells what there is.", error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted.", "run the same command again: finished work is kept.", _INTERRUPTED)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a library's exit must not pass for a job well done
        if debug:
            traceback.print_exc()
        return _fail(f"unexpected {type(error).__name__}: {error}", "`sluice --debug ...` shows where.", _UNEXPECTED)


def _asked(arguments: list[str]) -> int:
    try:
        return sluice.main(arguments, prog_name="sluice", standalone_mode=False) or 0
    finally:
        take_bars_away()


def _fail(message: str, hint: str | None, exit_code: int) -> int:
    errors.print("[bold red]error:[/] ", end="")
    errors.say(message)
    if hint:
        errors.print("[bold]hint:[/]  ", end="")
        errors.say(hint)
    return exit_code
