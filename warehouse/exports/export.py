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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pyarrow as pa

from schemas.errors import ExportRefused, InputError, UsageError, WarehouseError, nearest
from schemas.ids import digest
from schemas.records import PROMPT_SET
from warehouse.exports.findings import Findings
from warehouse.exports.lengths import too_long
from warehouse.exports.registry import target as named
from warehouse.exports.reward import write_reward
from warehouse.exports.row import ROW, internal
from warehouse.exports.target import Exported, ExportReport, Finding, Options, Target
from warehouse.release.order import Part, ordered, survey
from warehouse.release.shards import sha256

__all__ = ["export"]

_BATCH = 1024


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
        Where the export will lie; an earlier export there is replaced in one rename.
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
    """
    to, options = named(target), options or Options()
    parts = _chosen(survey(rows, PROMPT_SET), options)
    shape = _Shape(to, options, dataset)
    staging = folder.parent / f".{folder.name}.{os.getpid()}"
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        report = _write(staging, rows, parts, shape, folder)
        _replace(staging, folder)
    except OSError as error:
        raise WarehouseError(
            f"the export cannot be written to {folder}: {error}.",
            hint="check free space and permissions.",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return report


class _Shape:
    """A target with the columns that were asked for."""

    def __init__(self, target: Target, options: Options, dataset: str) -> None:
        self.target = target
        self.options = options
        self.dataset = dataset
        extra = [name for name in options.extra if name not in target.columns]
        self._refuse_unknown(extra)
        self.columns = {**target.columns, **{name: pl.col(name) for name in extra}}
        self.schema = pa.schema([*target.schema, *(pa.field(name, ROW.column(name).type) for name in extra)])

    def _refuse_unknown(self, extra: Sequence[str]) -> None:
        name = self.target.name
        if extra and not self.target.is_open:
            raise UsageError(f"{name} reads a fixed set of columns; {list(extra)} cannot be carried along.")
        for column in extra:
            if column in self.target.reserved:
                raise UsageError(f"{name} uses the name {column!r} itself.", hint="rename the column first.")
            if column not in ROW.names:
                close = nearest(column, ROW.names)
                raise UsageError(
                    f"no column is called {column!r}; there are {', '.join(ROW.names)}.",
                    hint=f"did you mean {close!r}?" if close else None,
                )

    def tables(self, rows: pa.Table) -> tuple[pl.DataFrame, pa.Table]:
        """Return rows of a prompt set as internal rows, and as the target's."""
        inner = internal(pl.from_arrow(rows), self.dataset)  # type: ignore[arg-type]
        made = inner.select(of.alias(name) for name, of in self.columns.items())
        return inner, made.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self.schema)


def _chosen(parts: list[Part], options: Options) -> list[Part]:
    if not parts:
        raise InputError("there are no rows to export.")
    known = [part.name for part in parts]
    for name in options.phases:
        if name not in known:
            close = nearest(name, known)
            raise UsageError(
                f"no phase is called {name!r}; there are {', '.join(known)}.",
                hint=f"did you mean {close!r}?" if close else None,
            )
    return [part for part in parts if not options.phases or part.name in options.phases]


def _write(staging: Path, rows: Sequence[Path], parts: Sequence[Part], shape: _Shape, folder: Path) -> ExportReport:
    findings = Findings(shape.target)
    findings.place(folder.resolve() / "data")
    written = _data(staging, rows, parts, shape, findings)
    exported = tuple(_exported(staging, part, shape) for part in written)
    refused = [*findings.all(), *_idle(exported, shape)]
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


def _data(staging: Path, rows: Sequence[Path], parts: Sequence[Part], shape: _Shape, findings: Findings) -> list[Part]:
    """Write every part's data, in published order, looking at each row on the way."""
    every = survey(rows, PROMPT_SET)
    batches = [(part, size) for part in every for size in _sizes(part.rows)]
    tables = ordered(rows, PROMPT_SET, [size for _, size in batches])
    with ExitStack() as stack:
        current: Part | None = None
        for (part, _), table in zip(batches, tables, strict=True):
            if part not in parts:
                continue
            if part != current:
                stack.close()
                place = staging / _place(part)
                place.mkdir(parents=True)
                writer = stack.enter_context(shape.target.writer(place, shape.schema))
                current = part
            inner, made = shape.tables(table)
            findings.missing(inner)
            findings.look(made)
            too_long(inner, shape.options, findings)
            writer.write(made)
    return list(parts)


def _exported(staging: Path, part: Part, shape: _Shape) -> Exported:
    place = _place(part)
    files = tuple(
        {
            "path": path.relative_to(staging).as_posix(),
            "bytes": path.stat().st_size,
            "sha256": sha256(path),
        }
        for path in sorted((staging / place).rglob("*"))
        if path.is_file()
    )
    batch = shape.options.batch_size
    used = part.rows - part.rows % batch if batch and shape.target.drops_last else part.rows
    return Exported(part, (place / shape.target.entry).as_posix(), part.rows, used, files)


def _idle(parts: Sequence[Exported], shape: _Shape) -> Iterator[Finding]:
    """Find phases of which an epoch would use nothing."""
    for part in parts:
        if part.epoch_rows == 0:
            yield Finding(
                "no_batch",
                f"{part.part.name} has {part.part.rows} rows, fewer than one batch of {shape.options.batch_size}: "
                "the loader drops them all",
                "train with a smaller batch.",
                0,
                (),
            )


def _refusal(shape: _Shape, findings: Sequence[Finding]) -> ExportRefused:
    listed = "\n".join(f"  {finding}" for finding in findings)
    return ExportRefused(
        f"{shape.target.trainer} ({shape.target.loader}) would not read {shape.dataset} as published:\n{listed}",
        hint="nothing was written; mend or drop these rows, or export to another target.",
    )


def _documents(staging: Path, rows: Sequence[Path], shape: _Shape, report: ExportReport) -> None:
    target = shape.target
    texts = dict(target.documents(report.parts))
    if target.rewards:
        write_reward(staging / "reward", rows)
    texts["README.md"] = texts.get("README.md", "") + _readme(target, report)
    texts["export.json"] = json.dumps(report.to_json() | {"loader": target.loader}, indent=1, ensure_ascii=False) + "\n"
    for name, text in texts.items():
        (staging / name).write_text(text, encoding="utf-8")


def _readme(target: Target, report: ExportReport) -> str:
    rows = "\n".join(
        f"| `{part.part.name}` | `{part.path}` | {part.part.rows} | {part.loader_rows} | {part.epoch_rows} |"
        for part in report.parts
    )
    usage = target.usage.replace("{data}", report.parts[0].path).replace("{reward}", "reward/sluice_reward.py")
    return (
        f"# {report.dataset} for {target.trainer}\n\n"
        f"Read by `{target.loader}`. Each phase is trained on by itself, in this order:\n\n"
        "| phase | data | rows | rows the loader sees | rows an epoch uses |\n|---|---|---|---|---|\n"
        f"{rows}\n\n{usage}"
    )


def _replace(staging: Path, folder: Path) -> None:
    if folder.exists():
        if not (folder / "export.json").is_file():
            raise UsageError(f"{folder} exists and is not an export.", hint="name a folder that does not exist.")
        old = staging.with_suffix(".old")
        folder.rename(old)
        staging.rename(folder)
        shutil.rmtree(old)
    else:
        staging.rename(folder)


def _place(part: Part) -> Path:
    """Return the folder of a part's data: no dot in it, for readers that cut names there."""
    return Path("data") / part.name.replace(".", "-")


def _sizes(rows: int) -> Iterator[int]:
    for start in range(0, rows, _BATCH):
        yield min(_BATCH, rows - start)
