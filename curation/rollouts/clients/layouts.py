"""Layouts of files of recorded answers."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import InputError
from schemas.ids import normalise_text
from schemas.recipe.rollouts import Recorded

__all__ = ["Answer", "answers"]

_ROWS = 1_000
_MOST = 2**31
_DEFINITION = re.compile(r"^def (\w+)\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """One recorded answer.

    Parameters
    ----------
    key
        What the table names the problem by.
    prompt
        The prompt it was sampled for, where the key may not be unique.
    index
        Sample index; None to number answers in the order of their text.
    """

    key: str
    text: str
    index: int | None = None
    prompt: str = ""
    finish_reason: str | None = None
    tokens: int | None = None


def answers(path: Path, policy: Recorded) -> Iterator[Answer]:
    """Yield the answers that a file holds, in its order.

    Raises
    ------
    InputError
        If the file cannot be read or a row is not as its layout says; the message names file and row.
    """
    read = _LAYOUTS[policy.layout]
    try:
        for number, row in enumerate(_rows(path), start=1):
            try:
                yield from read(row, policy)
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise InputError(
                    f"{path}, row {number}: not an answer in the layout {policy.layout!r}: "
                    f"{type(error).__name__}: {error}; it has {_shape(row)}.",
                    hint="check `layout`, `columns` and `model`.",
                ) from error
    except (OSError, EOFError, UnicodeDecodeError, pa.ArrowException) as error:
        raise InputError(f"recorded answers {str(path)!r} cannot be read: {error}.") from error


def _shape(row: Any) -> str:
    return (
        f"the keys {', '.join(sorted(map(str, row))[:12])}" if isinstance(row, Mapping) else f"a {type(row).__name__}"
    )


def _rows(path: Path) -> Iterator[Any]:
    if path.suffix == ".parquet":
        for batch in pq.ParquetFile(path).iter_batches(_ROWS):
            yield from batch.to_pylist()
        return
    with _opened(path) as file:
        if ".jsonl" in path.suffixes:
            yield from _lines(path, file)
        else:
            try:
                whole = json.load(file)
            except ValueError as error:
                raise InputError(f"{path}: not JSON: {error}.") from error
            yield from whole if isinstance(whole, list) else [whole]


def _opened(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _lines(path: Path, file: IO[str]) -> Iterator[Any]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise InputError(f"{path}:{number}: not JSON: {error}.") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is wanted, not {value!r:.60}")
    return value.encode("utf-8", "replace").decode()


def _long(row: Mapping[str, Any], policy: Recorded) -> Iterator[Answer]:
    columns = policy.columns
    key = str(row[columns.problem])
    yield Answer(
        key=normalise_text(key) if policy.match == "statement" else key,
        text=_text(row[columns.response]),
        index=None if columns.index is None else _count(row[columns.index]),
        finish_reason=_optional(row, columns.finish_reason, _text),
        tokens=_optional(row, columns.tokens, _count),
    )


def _optional(row: Mapping[str, Any], column: str | None, read: Callable[[Any], Any]) -> Any:
    value = None if column is None else row[column]
    return None if value is None else read(value)


def _count(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < _MOST:
        raise TypeError(f"a count is a whole number from 0, not {value!r:.60}")
    return value


def _codet(row: Mapping[str, Any], policy: Recorded) -> Iterator[Answer]:  # noqa: ARG001 - the layout says it all
    key = _DEFINITION.findall(row["prompt"])[-1:]
    for index, text in enumerate(row["samples"]):
        yield Answer(key="".join(key), prompt=row["prompt"], text=_text(text), index=index)


def _gsm8k(row: Mapping[str, Any], policy: Recorded) -> Iterator[Answer]:
    yield Answer(key=normalise_text(row["question"]), text=_text(row[policy.model or ""]["solution"]), index=0)


def _generations(row: Mapping[str, Any], policy: Recorded) -> Iterator[Answer]:
    for key, texts in row.get("raw_generations", row).items():
        for index, text in enumerate(texts):
            yield Answer(key=normalise_text(key) if policy.match == "statement" else key, text=_text(text), index=index)


_LAYOUTS: Mapping[str, Callable[[Any, Recorded], Iterator[Answer]]] = {
    "long": _long,
    "codet": _codet,
    "gsm8k_solutions": _gsm8k,
    "generations": _generations,
}
