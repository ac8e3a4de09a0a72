"""Options that many commands share."""

from __future__ import annotations

import os
from pathlib import Path

import click

__all__ = ["as_json", "name_and_ref", "recipe", "warehouse"]

warehouse = click.option(
    "--warehouse",
    "-w",
    "root",
    type=click.Path(path_type=Path, file_okay=False),
    default=lambda: os.environ.get("SLUICE_WAREHOUSE", "sluice-warehouse"),
    show_default="$SLUICE_WAREHOUSE or ./sluice-warehouse",
    help="Folder of the warehouse.",
)
as_json = click.option("--json", "machine", is_flag=True, help="Print JSON for machines.")
recipe = click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))


def name_and_ref(dataset: str) -> tuple[str, str]:
    """Return what ``NAME@VERSION`` or ``NAME`` names: the name, and the version or ``latest``.

    Examples
    --------
    >>> name_and_ref("demo@1.0.0"), name_and_ref("demo")
    (('demo', '1.0.0'), ('demo', 'latest'))
    """
    name, _, ref = dataset.partition("@")
    return name, ref or "latest"
