"""Commands that find what is redundant, and act on it: dedup lake, plan, apply, undo, rebuild, text."""

from __future__ import annotations

import click

from flows.cli import dedup_lake
from flows.cli.dedup_text import text

__all__ = ["COMMANDS"]


@click.group()
def dedup() -> None:
    """Find what is redundant, with proof."""


for command in (*dedup_lake.ON_LAKES, text):
    dedup.add_command(command)

COMMANDS = (dedup,)
