"""Layouts that a person describes: any table with a column map, and verl's Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curation.sources.difficulty import label
from curation.sources.drafts import Draft, Reason, Reject
from curation.sources.fields import as_date, as_list, as_texts, from_json, lookup, need
from curation.sources.layouts.programs import ALLCLOSE, call_tests, stdio_tests, tests_of
from schemas.enums import VerifierKind
from schemas.recipe.sources import Columns, Source

__all__ = ["table", "verl"]

_SHAPES = {
    VerifierKind.ASSERTS: {"code"},
    VerifierKind.CALLS: {"args", "expected"},
    VerifierKind.STDIO: {"input", "output"},
}
_VERL_META = ("data_source", "extra_info")


def table(row: Mapping[str, Any], source: Source) -> Draft:
    """Read a row by the column map of the recipe."""
    columns = source.columns
    kind = source.verifier or VerifierKind.EXACT
    if lookup(row, columns.prompt) is None and columns.prompt.partition(".")[0] not in row:
        need(row, columns.prompt)
    return Draft(
        prompt=lookup(row, columns.prompt),
        verifier=_verifier(kind, row, source),
        tests=_tests(kind, row, columns),
        source_id=_text(lookup(row, columns.id)) or "",
        starter_code=_text(lookup(row, columns.starter_code)),
        reference_solutions=as_texts(lookup(row, columns.reference_solutions), "reference_solutions"),
        wrong_solutions=as_texts(lookup(row, columns.wrong_solutions), "wrong_solutions"),
        license=_text(lookup(row, columns.license)) or "LicenseRef-unknown",
        date=as_date(lookup(row, columns.date)),
        ability=_text(lookup(row, columns.ability)) or ("code" if kind in _SHAPES else "math"),
        language=_text(lookup(row, columns.language)) or ("python" if kind in _SHAPES else None),
        difficulty=label("difficulty", lookup(row, columns.difficulty), source.difficulty_scale or "words"),
        tags=_tags(lookup(row, columns.tags)),
        meta={name: _plain(row[name]) for name in columns.meta if row.get(name) is not None},
    )


def _verifier(kind: VerifierKind, row: Mapping[str, Any], source: Source) -> dict[str, Any]:
    if kind is VerifierKind.MATH:
        return {"kind": kind, "format": source.math_format}
    if kind is VerifierKind.STDIO:
        return {"kind": kind, "compare": "tokens"}
    if kind not in _SHAPES:
        return {"kind": kind}
    name = _text(lookup(row, source.columns.entry_point))
    if not name:
        raise Reject(Reason.MISSING_FIELD, f"kind {kind} needs columns.entry_point, and the row must hold a name there")
    code = "\n".join(as_texts(lookup(row, source.columns.starter_code), "starter_code"))
    candidate = f"Solution().{name}" if "class Solution" in code else name
    spec = {"kind": kind, "entry_point": name, "candidate": candidate}
    if kind is VerifierKind.CALLS:
        return {**spec, "compare": "json"}
    return {**spec, "prelude": _text(lookup(row, source.columns.prelude)) or ""}


def _tests(kind: VerifierKind, row: Mapping[str, Any], columns: Columns) -> list[dict[str, Any]]:
    if kind not in _SHAPES:
        if columns.answer is None:
            return []
        return [{"answer": lookup(row, columns.answer)}]
    if columns.inputs is not None:
        pair = stdio_tests if kind is VerifierKind.STDIO else call_tests
        return pair(as_list(lookup(row, columns.inputs)), as_list(lookup(row, columns.outputs)))
    return [_shaped(kind, test) for test in as_list(lookup(row, columns.tests))]


def _shaped(kind: VerifierKind, test: Any) -> dict[str, Any]:
    if kind is VerifierKind.ASSERTS and isinstance(test, str):
        return {"code": test}
    if not isinstance(test, Mapping) or not _SHAPES[kind] <= set(test):
        raise Reject(
            Reason.WRONG_TYPE,
            f"a test of kind {kind} has the keys {', '.join(sorted(_SHAPES[kind]))}; got {test!r:.80}",
        )
    return dict(test)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _tags(value: Any) -> Sequence[str]:
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return [tag.strip() for tag in value.split(",") if tag.strip()]
    return as_texts(value, "tags")


def verl(row: Mapping[str, Any], source: Source) -> Draft:
    """Read verl's Parquet: ``prompt`` messages, ``reward_model.ground_truth``, ``data_source``, ``extra_info``."""
    truth = lookup(row, "reward_model.ground_truth")
    verifier, tests = _truth(truth, str(row.get("data_source", "")), source)
    extra = row.get("extra_info") if isinstance(row.get("extra_info"), Mapping) else {}
    code = verifier["kind"] in _SHAPES
    return Draft(
        prompt=need(row, "prompt"),
        verifier=verifier,
        tests=tests,
        source_id=_verl_id(extra or {}),
        ability=_text(row.get("ability")) or ("code" if code else "math"),
        language="python" if code else None,
        difficulty=label("difficulty", (extra or {}).get("difficulty"), source.difficulty_scale or "words"),
        meta={name: _plain(row[name]) for name in _VERL_META if row.get(name) is not None},
    )


def _verl_id(extra: Mapping[str, Any]) -> str:
    return "/".join(str(extra[name]) for name in ("split", "index") if extra.get(name) is not None)


def _truth(truth: Any, data_source: str, source: Source) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return verifier and tests of a ground truth: packed tests for code, an answer for mathematics."""
    if isinstance(truth, str) and truth.lstrip().startswith(("{", "[")) and '"input' in truth:
        truth = from_json(truth, "ground_truth")
    if isinstance(truth, Mapping):
        return tests_of(truth, "")
    if isinstance(truth, list) and truth and all(isinstance(test, Mapping) for test in truth):
        pairs = [test.get("input") for test in truth], [test.get("output") for test in truth]
        return {"kind": VerifierKind.STDIO, **ALLCLOSE}, stdio_tests(*pairs)
    form = "gsm8k" if "gsm8k" in data_source else source.math_format
    answer = truth[0] if isinstance(truth, list) and len(truth) == 1 else truth
    return {"kind": VerifierKind.MATH, "format": form}, [{"answer": _text(answer)}]


def _plain(value: Any) -> Any:
    """Return a value with everything that JSON lacks (dates, bytes) as text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | int | bool | type(None)) else str(value)
