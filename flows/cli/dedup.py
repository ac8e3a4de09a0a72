"""Commands that find what is redundant: dedup text."""

from __future__ import annotations

import click

from flows.cli.dedup_text import text

__all__ = ["COMMANDS"]


@click.group()
def dedup() -> None:
    """Find what is redundant, with proof."""


dedup.add_command(text)

COMMANDS = (dedup,)
