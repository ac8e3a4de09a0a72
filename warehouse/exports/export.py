"""Writing an export: data alone in the data folder, everything else outside it, or nothing at all.

::

    FOLDER/
        data/CURRICULUM-PHASE/train.parquet     what the trainer reads, and nothing else
        README.md  export.json                  how to start the trainer; what was written
        reward/                                 the reward function, where the target takes one
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import duckdb
import polars as pl

from schemas.errors import ExportRefused, InputError, UsageError, WarehouseError, did_you_mean
from schemas.ids import digest
from schemas.records import PROMPT_SET
from warehouse.exports.findings import Findings
from warehouse.exports.lengths import too_long
from warehouse.exports.registry import target as named
from warehouse.exports.reward import write_reward
from warehouse.exports.row import internal
from warehouse.exports.shape import Shape
from warehouse.exports.target import Exported, ExportReport, Finding, Options
from warehouse.fingerprint import file_sha256
from warehouse.release.order import Part, batches, ordered, survey

__all__ = ["export"]


def export(
    rows: Sequence[Path],
    target: str,
    folder: Path,
    options: Options | None = None,
    *,
    dataset: str = "dataset",
) -> ExportReport:
    """Write rows in the shape that a trainer reads.

    Parameters
    ----------
    rows
        Parquet files of a prompt set, in any order and layout.
    target
        Name of the target, such as ``verl-rl``.
    folder
        Where the export will lie; an earlier export there is replaced once the new one is whole.
    dataset
        ``NAME@VERSION``, for the record.

    Raises
    ------
    ExportRefused
        If the trainer would drop, truncate, null-fill, re-order or mis-read some rows; every reason is named, with
        row ids and a hint, and nothing is written.
    UsageError
        If the target, a phase or an extra column is unknown.
    InputError
        If there are no rows.
    WarehouseError
        If the rows cannot be read, or the folder cannot be written.
    """
    options = options or Options()
    shape = Shape(named(target), options, dataset)
    staging = folder.parent / f".{folder.name}.{os.getpid()}"
    try:
        parts = _chosen(survey(rows, PROMPT_SET), options)
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        report = _write(staging, rows, parts, shape, folder)
        _replace(staging, folder)
    except (OSError, duckdb.Error, sqlite3.Error) as error:
        raise WarehouseError(
            f"the export cannot be written to {folder}: {error}.",
            hint="check free space and permissions, and that the files of the version are whole (`sluice audit NAME`).",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return report


def _chosen(parts: list[Part], options: Options) -> list[Part]:
    if not parts:
        raise InputError("there are no rows to export.")
    known = [part.name for part in parts]
    for name in options.phases:
        if name not in known:
            raise UsageError(
                f"no phase is called {name!r}; there are {', '.join(known)}.",
                hint=did_you_mean(name, known),
            )
    return [part for part in parts if not options.phases or part.name in options.phases]


def _write(staging: Path, rows: Sequence[Path], parts: Sequence[Part], shape: Shape, folder: Path) -> ExportReport:
    findings = Findings(shape.target)
    findings.place(folder.resolve() / "data")
    written = _data(staging, rows, parts, shape, findings)
    exported = tuple(_exported(staging, part, count, shape) for part, count in written.items())
    refused = [*findings.all(), *_shuffled(shape), *_idle(exported, shape)]
    if refused:
        raise _refusal(shape, refused)
    report = ExportReport(
        shape.target.name,
        shape.dataset,
        folder,
        exported,
        digest([file["sha256"] for part in exported for file in part.files]),
    )
    _documents(staging, rows, shape, report)
    return report


def _data(
    staging: Path,
    rows: Sequence[Path],
    parts: Sequence[Part],
    shape: Shape,
    findings: Findings,
) -> Mapping[Part, int]:
    """Write every part's data, in published order, looking at each row on the way; return the rows of each."""
    planned = [(part, size) for part in survey(rows, PROMPT_SET) for size in batches(part.rows)]
    tables = ordered(rows, PROMPT_SET, [size for _, size in planned])
    written = dict.fromkeys(parts, 0)
    with ExitStack() as stack:
        current: Part | None = None
        for (part, _), table in zip(planned, tables, strict=True):
            if part not in written:
                continue
            if part != current:
                stack.close()
                place = staging / _place(part)
                place.mkdir(parents=True)
                writer = stack.enter_context(shape.target.writer(place, shape.schema))
                current = part
            inner = internal(pl.DataFrame(table), shape.dataset)
            made = shape.table(inner)
            findings.look_inside(inner)
            findings.look(made)
            too_long(inner, shape.options, findings)
            writer.write(made)
            written[part] += made.num_rows
    return written


def _exported(staging: Path, part: Part, rows: int, shape: Shape) -> Exported:
    place = _place(part)
    paths = sorted(path for path in (staging / place).rglob("*") if path.is_file())
    files = tuple(
        {"path": path.relative_to(staging).as_posix(), "bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in paths
    )
    batch = shape.options.batch_size
    used = rows - rows % batch if batch and shape.target.drops_last else rows
    return Exported(part, (place / shape.target.entry).as_posix(), rows, used, files)


def _shuffled(shape: Shape) -> Iterator[Finding]:
    """Find a trainer that shuffles rows whose order is the curriculum."""
    if shape.options.in_order and not shape.target.keeps_order:
        harm = "its loader shuffles the rows, whatever it is told"
        yield Finding("order", harm, "choose another target, or give up the order.", 0, ())


def _idle(parts: Sequence[Exported], shape: Shape) -> Iterator[Finding]:
    """Find phases of which an epoch would use nothing."""
    for part in parts:
        if part.epoch_rows == 0:
            yield Finding(
                "no_batch",
                f"{part.part.name} has {part.loader_rows} rows, fewer than one batch of {shape.options.batch_size}: "
                "the loader drops them all",
                "train with a smaller batch.",
                0,
                (),
            )


def _refusal(shape: Shape, findings: Sequence[Finding]) -> ExportRefused:
    listed = "\n".join(f"  {finding}" for finding in findings)
    return ExportRefused(
        f"{shape.target.trainer} ({shape.target.loader}) would not read {shape.dataset} as published:\n{listed}",
        hint="nothing was written; mend or drop these rows, or export to another target.",
    )


def _documents(staging: Path, rows: Sequence[Path], shape: Shape, report: ExportReport) -> None:
    target = shape.target
    texts = dict(target.documents(report))
    if target.rewards:
        write_reward(staging / "reward", rows)
    texts["README.md"] = texts.get("README.md", "") + _readme(shape, report)
    texts["export.json"] = json.dumps(report.to_json() | {"loader": target.loader}, indent=1, ensure_ascii=False) + "\n"
    for name, text in texts.items():
        path = staging / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _readme(shape: Shape, report: ExportReport) -> str:
    target = shape.target
    rows = "\n".join(
        f"| `{part.part.name}` | `{part.path}` | {part.part.rows} | {part.loader_rows} | {part.epoch_rows} |"
        for part in report.parts
    )
    usage = target.usage.replace("{data}", report.parts[0].path).replace("{reward}", "reward/sluice_reward.py")
    usage = usage.replace("{seed}", str(shape.options.seed))
    order = "" if target.keeps_order else "**The trainer shuffles these rows; their order is not kept.**\n\n"
    return (
        f"# {report.dataset} for {target.trainer}\n\n{order}"
        f"Read by `{target.loader}`. Each phase is trained on by itself, in this order:\n\n"
        "| phase | data | rows | rows the loader sees | rows an epoch uses |\n|---|---|---|---|---|\n"
        f"{rows}\n\n{usage}"
    )


def _replace(staging: Path, folder: Path) -> None:
    if folder.exists():
        if not (folder / "export.json").is_file():
            raise UsageError(f"{folder} exists and is not an export.", hint="name a folder that does not exist.")
        old = staging.with_name(f"{staging.name}.old")
        folder.rename(old)
        staging.rename(folder)
        shutil.rmtree(old)
    else:
        staging.rename(folder)


def _place(part: Part) -> Path:
    """Return the folder of a part's data: no dot in it, for readers that cut names there."""
    return Path("data") / part.name.replace(".", "-")
