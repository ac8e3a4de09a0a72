"""Minimizes client records by one policy, with nothing but Python's standard library (3.10 or newer).

    python -I FILE < clients.csv > minimized.csv
    python -I FILE --format jsonl < clients.jsonl > minimized.jsonl

As a module it offers ``minimize(record)``: a dict of raw values in, a dict of bucket names out.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

Record = dict[str, Any]
SPEC = ""
SHA256 = ""

_DATE = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
_TIME = r"[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
TEXTS = {
    "int": r"[+-]?[0-9]+",
    "float": r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[nN]a[nN]|[iI]nf(?:inity)?)",
    "decimal": r"[+-]?[0-9]+(?:\.[0-9]*)?",
    "date": _DATE,
    "datetime": _DATE + _TIME,
    "instant": _DATE + _TIME + r"(?:(Z)|([+-])([0-9]{2}):?([0-9]{2})(?::?([0-9]{2}))?)",
    "bool": r"(?:[tT]rue|TRUE|[fF]alse|FALSE)",
    "str": r"[\s\S]*",
}
_PATTERNS = {name: re.compile(text) for name, text in TEXTS.items()}


class Drift(ValueError):
    """The record does not have the columns or types that the policy was made for."""


def minimize(record: Record, spec: Record | None = None) -> Record:
    """Return what may leave this device of ``record``.

    Raises
    ------
    Drift
        If a column is missing, unknown, or not of its type.
    """
    spec = _spec() if spec is None else spec
    _check_names(record, spec)
    buckets = {
        name: bucket(name, rule, record[name]) for name, rule in spec["columns"].items() if rule["kind"] != "drop"
    }
    if spec["release"] == "cell":
        buckets = {"cell": _cell(spec["cells"], buckets)}
    for name, kind in spec["passthrough"].items():
        if record[name] is not None:
            _typed(name, kind, record[name], None)
        buckets[name] = record[name]
    return buckets


@cache
def _spec() -> Record:
    spec = json.loads(SPEC)
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if hashlib.sha256(text.encode()).hexdigest() != SHA256:
        raise SystemExit("this file was changed after it was compiled: its policy is not the one that it names")
    return spec


def _check_names(record: Record, spec: Record) -> None:
    if not isinstance(record, dict):
        raise Drift("not an object of columns and values")
    wanted = [*spec["columns"], *spec["passthrough"]]
    if spec["client"] is not None:
        wanted.append(spec["client"])
    missing = [name for name in dict.fromkeys(wanted) if name not in record]
    extra = [name for name in record if name not in wanted]
    if missing or extra:
        told = [f"column {name!r} is missing" for name in missing]
        told += [f"column {name!r} is unknown" for name in extra]
        raise Drift("; ".join(told))


def bucket(name: str, rule: Record, value: Any) -> str:
    """Return the bucket of one value of column ``name`` under its rule."""
    if value is None:
        return rule["on_null"]
    value = _typed(name, rule["type"], value, rule.get("scale"))
    if rule["kind"] == "map":
        return next((bucket for bucket, values in rule["buckets"].items() if value in values), rule["on_unseen"])
    if isinstance(value, float) and math.isnan(value):
        return rule["on_nan"]
    return f"b{bisect_left(_borders(rule['type'], tuple(rule['borders'])), value)}"


@cache
def _borders(kind: str, texts: tuple[str, ...]) -> list[Any]:
    return [_typed("border", "decimal" if kind == "int" else kind, text, None) for text in texts]


def _cell(node: Any, buckets: Record) -> str:
    while isinstance(node, dict):
        node = node["left"] if buckets[node["column"]] in node["buckets"] else node["right"]
    return node


def _typed(name: str, kind: str, value: Any, scale: int | None) -> Any:
    try:
        typed = _READ[kind](value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Drift(f"column {name!r}: a value is not of type {kind} ({error})") from None
    if scale is not None and not _fits(typed, scale):
        raise Drift(f"column {name!r}: a value has more than {scale} digits after the point")
    return typed


def _match(kind: str, text: Any) -> re.Match[str]:
    found = _PATTERNS[kind].fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("its text does not read as one" if isinstance(text, str) else f"{type(text).__name__} instead")
    return found


def _int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    _match("int", value)
    return int(Decimal(value))


def _float(value: Any) -> float:
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return float(value)
    _match("float", value)
    return float(value)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        value = Decimal(value)
        if not value.is_finite():
            raise ValueError("not finite")
        return value
    _match("decimal", value)
    return Decimal(value)


def _fits(value: Decimal, scale: int) -> bool:
    _, digits, exponent = value.as_tuple()
    tail = digits[len(digits) + exponent + scale :] if -exponent < len(digits) + scale else digits
    return -exponent <= scale or not any(tail)


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return date(*map(int, _match("date", value).groups()))


def _datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            raise ValueError("has a time zone")
        return value
    return _moment(_match("datetime", value).groups())


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("has no time zone")
        return value.replace(tzinfo=None) - value.utcoffset()
    groups = _match("instant", value).groups()
    moment = _moment(groups[:7])
    if groups[7]:
        return moment
    offset = timedelta(hours=int(groups[9]), minutes=int(groups[10]), seconds=int(groups[11] or 0))
    return moment - offset if groups[8] == "+" else moment + offset


def _moment(groups: Sequence[str | None]) -> datetime:
    """Return the first moment in whole microseconds that is not before the one written."""
    year, month, day, hour, minute, second, fraction = groups
    digits = (fraction or "").ljust(9, "0")
    moment = datetime(*map(int, (year, month, day, hour, minute, second or 0, digits[:6])))  # noqa: DTZ001 - as it came, without a zone
    return moment + timedelta(microseconds=1) if digits[6:] > "000" else moment


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return _match("bool", value).group().lower() == "true"


def _str(value: Any) -> str:
    return _match("str", value).group()


_READ = {
    "int": _int,
    "float": _float,
    "decimal": _decimal,
    "date": _date,
    "datetime": _datetime,
    "instant": _instant,
    "bool": _bool,
    "str": _str,
}


def _records(lines: Iterable[str], kind: str, missing: Sequence[str]) -> Iterator[Record]:
    if kind == "csv":
        rows = csv.reader(lines, strict=True)
        names = next(rows, [])
        if len(set(names)) < len(names):
            raise SystemExit("row 0: a column is there twice")
        for row in rows:
            if row or len(names) == 1:
                cells = zip(names, row or [""], strict=False)
                extra = {"(more cells than columns)": ""} if len(row) > len(names) else {}
                yield {name: None if text in missing else text for name, text in cells} | extra
    else:
        yield from (json.loads(line, parse_float=Decimal) for line in lines if line.strip())


def _main(arguments: list[str]) -> None:
    kind = "jsonl" if arguments[:2] == ["--format", "jsonl"] else "csv"
    sys.stdin.reconfigure(encoding="utf-8", newline="")
    sys.stdout.reconfigure(encoding="utf-8", newline="")
    write, done = _writer(kind), 0
    try:
        for told in map(minimize, _records(sys.stdin, kind, _spec()["missing"])):
            write(told)
            done += 1
    except Drift as drift:
        raise SystemExit(f"row {done + 1}: {drift}") from None
    except (csv.Error, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise SystemExit(f"row {done + 1}: not readable as {kind} in UTF-8") from None


def _writer(kind: str) -> Callable[[Record], object]:
    if kind == "jsonl":
        return lambda told: sys.stdout.write(json.dumps(told, ensure_ascii=False, default=str) + "\n")
    spec = _spec()
    kept = [name for name, rule in spec["columns"].items() if rule["kind"] != "drop"]
    names = ["cell"] if spec["release"] == "cell" else kept
    writer = csv.DictWriter(sys.stdout, [*names, *spec["passthrough"]], lineterminator="\n")
    writer.writeheader()
    return writer.writerow


if __name__ == "__main__":
    _main(sys.argv[1:])
