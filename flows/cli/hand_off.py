"""Commands that hand published versions to others: export, verify-release, push."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from flows import hand_off
from flows.cli import options
from flows.console import console, print_json, progress_for, short_path, table
from flows.hand_off import HandedOff
from schemas.errors import ExportRefused, InputError, UsageError
from warehouse.exports import check, targets
from warehouse.exports.target import Options
from warehouse.figures import size
from warehouse.house import Warehouse
from warehouse.release.push import Pushed
from warehouse.release.push import push as push_release
from warehouse.release.verify import verify_release as faults_of

__all__ = ["COMMANDS"]

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("dataset", required=False)
@options.warehouse
@options.as_json
@click.option("--to", "target", help="Trainer to export to; without it the trainers are listed.")
@click.option("--out", type=_FOLDER, help="Folder to write, in place of exports/.")
@click.option("--all", "everything", is_flag=True, help="Write every target that the rows allow; say why not others.")
@click.option("--check", "checking", is_flag=True, help="Hold an export written before against the target's contract.")
@click.option("--phase", "phases", multiple=True, help="CURRICULUM-PHASE to export; may be repeated. All by default.")
@click.option("--column", "extra", multiple=True, help="Further column to carry along; may be repeated.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Prompts per training step: tells what drop_last drops.")
@click.option("--in-order", is_flag=True, help="The order is the curriculum: refuse trainers that shuffle.")
@click.option("--tokenizer", type=click.Path(path_type=Path, exists=True), help="Folder of the model's tokenizer.")
@click.option("--max-prompt-tokens", type=click.IntRange(min=1), help="The trainer's limit: refuse longer prompts.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the trainer's own sampler.")
def export(
    dataset: str | None,
    target: str | None,
    root: Path,
    out: Path | None,
    *,
    machine: bool,
    everything: bool,
    checking: bool,
    **chosen: object,
) -> None:
    """Write a version as a trainer reads it, or say why the trainer would not read it as published."""
    if dataset is None or not (target or everything):
        listed = ((one.name, one.trainer, one.loader) for one in targets().values())
        table("Targets", ("target", "trainer", "read by"), listed)
        return
    wished = _options(**chosen)  # type: ignore[arg-type]
    warehouse = Warehouse.open(root, read_only=True)
    version = warehouse.version(*options.name_and_ref(dataset))
    wanted = list(targets()) if everything else [str(target)]
    if checking:
        _check(
            [
                place
                for place in hand_off.export_folders(warehouse, version, wanted, out)
                if place.exists() or not everything
            ]
        )
        return
    _tell(hand_off.export_all(warehouse, version, wanted, out, wished), machine=machine, everything=everything)


def _options(*, tokenizer: Path | None, max_prompt_tokens: int | None, **others: object) -> Options:
    if (tokenizer is None) != (max_prompt_tokens is None):
        raise UsageError(
            "--tokenizer and --max-prompt-tokens go together.",
            hint="prompts are counted with the tokenizer that will be trained with.",
        )
    return Options(tokenizer=tokenizer, max_prompt_tokens=max_prompt_tokens, **others)  # type: ignore[arg-type]


def _check(folders: Sequence[Path]) -> None:
    if not folders:
        raise InputError("nothing was exported yet.", hint="leave out --check to export.")
    found = {folder: check(folder) for folder in folders}
    for folder, findings in found.items():
        if not findings:
            console.say(f"{folder}: as its trainer reads it")
    if bad := [f"{folder}: {finding}" for folder, findings in found.items() for finding in findings]:
        raise ExportRefused("\n".join(bad), hint="export again.")


def _tell(done: Sequence[HandedOff], *, machine: bool, everything: bool) -> None:
    refused = [one for one in done if one.refused]
    written = [one for one in done if not one.refused]
    if machine:
        print_json([asdict(one) for one in done])
    else:
        if written:
            table("Exports", ("target", "rows", "folder"), ((o.target, o.rows, short_path(o.folder)) for o in written))
        for one in refused:
            console.print(f"[bold]{one.target}[/]: refused")
            console.say(str(one.refused))
    if refused and not (everything and written):
        raise ExportRefused(f"{len(refused)} of {len(done)} targets would not read the rows as published.")


@click.command("verify-release")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@options.as_json
def verify_release(folder: Path, *, machine: bool) -> None:
    """Check a release folder against its manifest; needs no warehouse. Exits with 3 if anything is off."""
    faults = faults_of(folder)
    if machine:
        print_json([asdict(fault) for fault in faults])
    elif faults:
        table("Faults", ("kind", "file", "detail"), ((str(f.kind), f.path, f.detail) for f in faults))
    else:
        console.say(f"{folder}: whole, every file as published")
    if faults:
        raise InputError(f"{folder} differs from its manifest in {len(faults)} places.", hint="fetch it again.")


@click.command()
@click.argument("dataset")
@click.argument("to")
@options.warehouse
@options.as_json
@click.option("--dry-run", is_flag=True, help="Tell what would be sent, and send nothing.")
@click.option("--public", is_flag=True, help="Make a repository of the Hub that does not exist yet public.")
def push(dataset: str, to: str, root: Path, *, machine: bool, dry_run: bool, public: bool) -> None:
    """Push the release of NAME@VERSION to a folder, a store that fsspec knows, or hf://datasets/OWNER/NAME.

    Only what is missing there, by digest, is sent; readers see the whole release or none of it.
    """
    warehouse = Warehouse.open(root, read_only=True)
    release = hand_off.release(warehouse, warehouse.version(*options.name_and_ref(dataset)))
    progress = None if machine else progress_for()
    pushed = push_release(release.folder, to, dry_run=dry_run, private=not public, progress=progress)
    if machine:
        print_json(pushed.to_json())
    else:
        console.say(_summary(pushed))


def _summary(pushed: Pushed) -> str:
    weight = sum(item.bytes for item in pushed.sent)
    verb = "would send" if pushed.dry_run else "sent"
    there = f"; readers find it at {pushed.where}" if pushed.where else ""
    return f"{verb} {len(pushed.sent)} files ({size(weight)}), {len(pushed.held)} were there already{there}"


COMMANDS = (export, verify_release, push)
