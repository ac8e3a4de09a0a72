"""The stage ``read``: files in, problems and named rejections out, one row in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from curation.batches import RowFile
from curation.sources.drafts import Reason, Reject, problem_row
from curation.sources.fields import lookup
from curation.sources.files import Fault, Record, records
from curation.sources.hub import dataset_records
from curation.sources.registry import Layout, layout
from schemas.errors import InputError
from schemas.ids import digest
from schemas.recipe.sources import Limits, ResolvedSource, ResolvedSources, Source, SourceFile, Where
from schemas.records import PROBLEM, REJECTION
from warehouse.stages import Services, Stage, StageResult, no_decisions

__all__ = ["READ", "read"]

_PLACE = pa.schema([("_order", pa.int64()), ("_file", pa.string()), ("_line", pa.int64())])
_ROWS = pa.schema([*PROBLEM.arrow, *_PLACE])


def read(inputs: Mapping[str, pl.LazyFrame], config: ResolvedSources, services: Services) -> StageResult:
    """Read all sources in order.

    Of rows with one and the same problem that of the first source is kept, within a source that of the first id;
    every row that cannot become a problem is a rejection with its file, line and reason.

    Parameters
    ----------
    inputs
        Nothing; sources are files.
    config
        What `curation.sources.resolve.fingerprint` returns.

    Returns
    -------
    StageResult
        Rows of the contract `problem`; the table ``rejections``.

    Raises
    ------
    InputError
        If a source is empty, or none of its rows can be used.
    """
    del inputs
    scratch = services.aside()
    rows, rejections = scratch / "rows.parquet", scratch / "rejections.parquet"
    with RowFile(rows, _ROWS) as kept, RowFile(rejections, REJECTION) as refused:
        for resolved in config.sources:
            _read_source(resolved, config.limits, kept, refused, services)
    return _without_duplicates(rows, rejections)


READ = Stage("read", "1", read, outputs={"rejections": "rejection"})


def _read_source(resolved: ResolvedSource, limits: Limits, kept: RowFile, refused: RowFile, services: Services) -> None:
    source, parse = resolved.source, layout(resolved.source.kind)
    task = f"read {source.name}"
    services.progress.start(task)
    before, reasons = kept.rows, dict[str, int]()
    for file in resolved.files:
        for item in _items(source, file, limits):
            outcome = _outcome(item, source, file, parse, limits)
            if isinstance(outcome, Fault):
                reasons[outcome.reason] = reasons.get(outcome.reason, 0) + 1
                detail = outcome.detail[: limits.detail_chars].encode("utf-8", "backslashreplace").decode()
                refused.write([_rejection(source, file, outcome, detail)])
            else:
                kept.write([{**outcome, "_order": kept.rows, "_file": file.name, "_line": item.line}])
            services.progress.advance(task)
    services.progress.finish(task, f"{kept.rows - before} problems, {sum(reasons.values())} rejected")
    if kept.rows == before:
        raise _nothing_usable(resolved, reasons)


def _rejection(source: Source, file: SourceFile, fault: Fault, detail: str) -> dict[str, Any]:
    place = {"source": source.name, "file": file.name, "line": fault.line}
    return {**place, "reason": fault.reason.value, "detail": detail}


def _nothing_usable(resolved: ResolvedSource, reasons: Mapping[str, int]) -> InputError:
    files = ", ".join(file.name for file in resolved.files[:3])
    if not reasons:
        return InputError(
            f"source {resolved.source.name!r} is empty: {files} holds no row.", hint="check that the file was written."
        )
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    return InputError(
        f"source {resolved.source.name!r} has no usable row in {files}: {counts}.",
        hint=f"check that kind {resolved.source.kind!r} and its columns fit the file.",
    )


def _items(source: Source, file: SourceFile, limits: Limits) -> Iterator[Record | Fault]:
    if source.dataset is not None:
        return dataset_records(source.dataset, file.location)
    return records(file.location, source.encoding, limits.row_bytes)


def _outcome(
    item: Record | Fault, source: Source, file: SourceFile, parse: Layout, limits: Limits
) -> dict[str, Any] | Fault:
    """Return the problem's row, or why there is none; hostile rows must not stop the reading of the others."""
    if isinstance(item, Fault):
        return item
    try:
        draft = parse(_selected(item.value, source.where), source)
        draft.source_id = draft.source_id or f"{Path(file.name).name}:{item.line}"
        return problem_row(draft, source, source.revision or f"sha256:{file.digest}", limits)
    except Reject as reject:
        return Fault(item.line, reject.reason, reject.detail)
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        return Fault(item.line, Reason.WRONG_TYPE, f"{type(error).__name__}: {error}")


def _selected(row: Any, where: Where | None) -> Mapping[str, Any]:
    if not isinstance(row, Mapping):
        raise Reject(Reason.WRONG_TYPE, f"the row is {type(row).__name__}; an object is needed")
    if where and not _inside(lookup(row, where.column), where):
        raise Reject(Reason.NOT_SELECTED, f"{where.column} is outside the recipe's selection")
    return row


def _inside(value: Any, where: Where) -> bool:
    if where.values and str(value) not in where.values:
        return False
    low, high = (_comparable(bound, value) for bound in (where.low, where.high))
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def _comparable(bound: float | str | None, value: Any) -> Any:
    return str(bound) if bound is not None and isinstance(value, str) else bound


def _content() -> pl.Expr:
    """Return a digest of everything that a problem's row says."""

    def digests(texts: pl.Series) -> pl.Series:
        return pl.Series([digest(text) for text in texts], dtype=pl.String)

    told = pl.struct(PROBLEM.names).struct.json_encode()
    return told.map_batches(digests, return_dtype=pl.String, is_elementwise=True)


def _without_duplicates(rows: Path, rejections: Path) -> StageResult:
    """Keep one row of each problem: the first source's, of these the one first by id and content, wherever it stands.

    The others are rejected, naming the kept one as witness.
    """
    everything = pl.scan_parquet(rows, glob=False)
    counts = everything.group_by("problem_id").len().filter(pl.col("len") > 1)
    twice = counts.collect(engine="streaming")["problem_id"]
    concerned = everything.filter(pl.col("problem_id").is_in(twice.implode()))
    named = concerned.select("problem_id", "source", "source_id", *_PLACE.names, content=_content())
    found = named.collect(engine="streaming").sort("_order")
    by_source = pl.col("_order").min().over("source")
    preferred = found.sort(by_source, pl.col("source_id").str.len_chars(), "source_id", "content")
    kept = preferred.unique("problem_id", keep="first", maintain_order=True)
    place = pl.concat_str("_file", pl.lit(":"), "_line")
    repeated = found.join(kept, on="_order", how="anti")
    repeated = repeated.join(kept.select("problem_id", seen=place), on="problem_id", how="left")
    told = pl.concat_str(pl.lit("the same problem ("), "problem_id", pl.lit(") stands at "), "seen")
    duplicates = repeated.select(
        "source", file="_file", line="_line", reason=pl.lit(Reason.DUPLICATE.value), detail=told
    ).lazy()
    return StageResult(
        decisions=no_decisions(),
        rows=everything.filter(~pl.col("_order").is_in(repeated["_order"].implode())).drop(_PLACE.names),
        outputs={"rejections": pl.concat([pl.scan_parquet(rejections, glob=False), duplicates])},
    )
