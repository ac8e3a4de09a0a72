"""The command line: ``sluice VERB``."""

from __future__ import annotations

import os
import sys
import traceback

import click

from flows.cli import build, data, dedup, drive, hand_off, house, judge, minimize, versions
from flows.console import errors
from schemas.errors import SluiceError

__all__ = ["main", "sluice"]

_INTERRUPTED = 130
_UNEXPECTED = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="sluice")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def sluice(context: click.Context, *, debug: bool) -> None:
    """Build, audit, publish and hand off the datasets that RL and fine-tuning train on."""
    context.obj = {"debug": debug}


for module in (build, drive, versions, hand_off, data, dedup, minimize, judge, house):
    for command in module.COMMANDS:
        sluice.add_command(command)


def main() -> None:
    """Run the command line; an error is one line and a hint, with the exit codes of `schemas.errors`."""
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
        return sluice.main(arguments, standalone_mode=False) or 0
    except SluiceError as error:
        if debug:
            traceback.print_exc()
        return _fail(error.message, error.hint, error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message(), "`sluice --help` lists the commands.", error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted.", "run the same command again: finished work is kept.", _INTERRUPTED)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a library's exit must not pass for a job well done
        if debug:
            traceback.print_exc()
        return _fail(f"unexpected {type(error).__name__}: {error}", "`sluice --debug ...` shows where.", _UNEXPECTED)


def _fail(message: str, hint: str | None, exit_code: int) -> int:
    errors.print("[bold red]error:[/] ", end="")
    errors.print(message, markup=False, soft_wrap=True)
    if hint:
        errors.print("[bold]hint:[/]  ", end="")
        errors.print(hint, markup=False, soft_wrap=True)
    return exit_code
