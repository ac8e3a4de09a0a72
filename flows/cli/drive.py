"""Commands that follow a policy in training: drive next-phase."""

from __future__ import annotations

from pathlib import Path

import click

from flows.cli import options
from flows.console import print_json
from flows.orchestration import prefect_server
from flows.summary import show_build

__all__ = ["COMMANDS"]


@click.group()
def drive() -> None:
    """Follow DRIVE's phases (arXiv 2511.06307)."""


@drive.command("next-phase")
@options.recipe
@options.warehouse
@options.as_json
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with a `rollouts` section that samples the newest checkpoint; by default the recipe's last policy.",
)
@click.option("--from", "ref", default="latest", show_default=True, help="Version to carry on.")
def next_phase(recipe: Path, root: Path, checkpoint: Path | None, ref: str, *, machine: bool) -> None:
    """Measure the last phase with the newest checkpoint, keep what is hardest, publish the next phase."""
    with prefect_server(root):
        from flows.next_phase import next_phase as flow

        summary = flow(str(recipe), str(root), checkpoint=str(checkpoint) if checkpoint else None, ref=ref)
    if machine:
        print_json(summary)
    else:
        show_build(summary)


COMMANDS = (drive,)
