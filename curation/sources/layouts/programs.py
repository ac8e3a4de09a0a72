"""Whole programs and recorded calls: APPS, TACO, CodeContests, LiveCodeBench, and stdio problems as rllm packs them.

Comparators follow each source's own judge: APPS and TACO compare floats as ``numpy.allclose`` does (relative 1e-5,
absolute 1e-8), CodeContests every number to an absolute 1e-5, LiveCodeBench tokens as exact decimals.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from curation.sources.difficulty import label
from curation.sources.drafts import Draft, Reason, Reject
from curation.sources.fields import as_date, as_list, as_texts, from_json, listed, lookup, need, text
from curation.sources.pickles import packed_tests
from schemas.enums import VerifierKind
from schemas.recipe.sources import Source

__all__ = ["apps", "call_tests", "code_contests", "livecodebench", "rllm_stdio", "stdio_tests", "taco", "tests_of"]

ALLCLOSE = {"compare": "float", "rel_tol": 1e-5, "abs_tol": 1e-8}
CODE_CONTESTS = {"compare": "float", "rel_tol": 0.0, "abs_tol": 1e-5}
DECIMALS = {"compare": "float", "rel_tol": 0.0, "abs_tol": 0.0}

_PYTHON3 = 3
_CODE_CONTESTS_WORDS = ("unknown_difficulty", "easy", "medium", "hard", "harder", "hardest", "external")
_TIME = re.compile(r"Time Limit: \{'seconds': (?P<seconds>\d+), 'nanos': (?P<nanos>\d+)\}")
_MEMORY = re.compile(r"Memory Limit: (?P<bytes>\d+) Bytes")
_MIB = 2**20
_MOST_UNPACKED = 2**30


def stdio_tests(inputs: Any, outputs: Any) -> list[dict[str, Any]]:
    """Pair standard inputs with outputs, leaving out repetitions; a list of lines is joined.

    Raises
    ------
    Reject
        If there are not as many of one as of the other.
    """
    pairs = _paired(inputs, outputs)
    joined = [tuple("\n".join(map(str, side)) if isinstance(side, list) else side for side in pair) for pair in pairs]
    return [{"input": given, "output": expected} for given, expected in dict.fromkeys(joined)]


def call_tests(inputs: Any, outputs: Any) -> list[dict[str, Any]]:
    """Pair argument lists with results; if every result is a list of one, as in APPS, its element is the result."""
    pairs = _paired(inputs, outputs)
    wrapped = all(isinstance(expected, list) and len(expected) == 1 for _, expected in pairs)
    return [
        {"args": listed(args, "input"), "kwargs": {}, "expected": expected[0] if wrapped else expected}
        for args, expected in pairs
    ]


def _paired(inputs: Any, outputs: Any) -> list[tuple[Any, Any]]:
    given, expected = listed(inputs, "inputs"), listed(outputs, "outputs")
    if len(given) != len(expected):
        raise Reject(Reason.UNEQUAL_TESTS, f"{len(given)} inputs and {len(expected)} outputs")
    return list(zip(given, expected, strict=True))


def tests_of(packed: Mapping[str, Any], starter: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return verifier and tests of an ``input_output`` object: calls where it names a function, programs elsewhere."""
    inputs, outputs = packed.get("inputs"), packed.get("outputs")
    if not (name := packed.get("fn_name")):
        return {"kind": VerifierKind.STDIO, **ALLCLOSE}, stdio_tests(inputs, outputs)
    return _calls(str(name), starter), call_tests(inputs, outputs)


def _calls(name: str, starter: str) -> dict[str, Any]:
    candidate = f"Solution().{name}" if "class Solution" in starter else name
    return {"kind": VerifierKind.CALLS, "entry_point": name, "candidate": candidate, "compare": "json"}


def apps(row: Mapping[str, Any], source: Source) -> Draft:  # noqa: ARG001 - all layouts are called alike
    """Read APPS (Hendrycks et al. 2021, arXiv 2105.09938)."""
    draft = _input_output(row)
    draft.license = "MIT"
    draft.source_id = str(row.get("problem_id", row.get("id", "")))
    draft.difficulty = label("difficulty", row.get("difficulty"), "apps")
    return draft


def taco(row: Mapping[str, Any], source: Source) -> Draft:  # noqa: ARG001 - all layouts are called alike
    """Read TACO, which is laid out like APPS with more labels (Li et al. 2023, arXiv 2312.14852)."""
    draft = _input_output(row)
    draft.license = "Apache-2.0"
    draft.source_id = str(row.get("url") or row.get("name") or row.get("id") or "")
    draft.difficulty = label("difficulty", row.get("difficulty"), "taco")
    draft.date = as_date(row.get("date"))
    draft.tags = as_texts(_literal_list(row.get("tags")), "tags")
    draft.meta = {name: row[name] for name in ("name", "source", "url", "skill_types") if row.get(name) is not None}
    limit = re.match(r"\s*([\d.]+)", str(row.get("time_limit") or ""))
    if limit and draft.verifier["kind"] == VerifierKind.STDIO:
        draft.verifier["time_limit"] = float(limit.group(1))
    return draft


def _input_output(row: Mapping[str, Any]) -> Draft:
    packed = need(row, "input_output")
    packed = from_json(packed or "{}", "input_output") if isinstance(packed, str) or packed is None else packed
    if not isinstance(packed, Mapping):
        raise Reject(Reason.WRONG_TYPE, f"input_output is {type(packed).__name__}; an object is needed")
    starter = row.get("starter_code") or ""
    verifier, tests = tests_of(packed, starter)
    question = need(row, "question")
    return Draft(
        prompt=f"{question}\n\n{starter}" if starter and isinstance(question, str) else question,
        verifier=verifier,
        tests=tests,
        source_id="",
        reference_solutions=as_texts(row.get("solutions"), "solutions"),
        language="python",
        meta={name: row[name] for name in ("url",) if row.get(name)},
    )


def _literal_list(value: Any) -> list[Any]:
    """Return TACO's lists, which are Python literals of strings in the published files."""
    return re.findall(r"'([^']*)'", value) if isinstance(value, str) and "'" in value else as_list(value)


def code_contests(row: Mapping[str, Any], source: Source) -> Draft:
    """Read CodeContests: public, private and generated tests, right and wrong Python 3 programs, limits, labels.

    Li et al. 2022, arXiv 2203.07814.
    """
    if "tests" in row and "public_tests" not in row:
        return rllm_stdio(row, source)
    if row.get("input_file") or row.get("output_file"):
        raise Reject(Reason.NOT_STDIO, f"reads {row.get('input_file')!r} and writes {row.get('output_file')!r}")
    groups = [row.get(f"{part}_tests") or {} for part in ("public", "private", "generated")]
    inputs = [given for group in groups for given in listed(group.get("input"), "input")]
    outputs = [expected for group in groups for expected in listed(group.get("output"), "output")]
    limit = row.get("time_limit") or {}
    seconds = (limit.get("seconds") or 0) + (limit.get("nanos") or 0) / 1e9
    return Draft(
        prompt=need(row, "description"),
        verifier=_limited(CODE_CONTESTS, seconds, row.get("memory_limit_bytes") or 0),
        tests=stdio_tests(inputs, outputs),
        source_id=str(row.get("name", "")),
        reference_solutions=_python3(row.get("solutions")),
        wrong_solutions=_python3(row.get("incorrect_solutions")),
        license="CC-BY-4.0",
        language="python",
        difficulty=_code_contests_labels(row),
        tags=[tag for tag in as_texts(row.get("cf_tags"), "cf_tags") if tag],
        meta={name: row[name] for name in ("source", "cf_contest_id", "cf_index", "cf_points") if row.get(name)},
    )


def _limited(compare: Mapping[str, Any], seconds: float, memory: int) -> dict[str, Any]:
    limits: dict[str, Any] = {"time_limit": float(seconds)} if seconds else {}
    if memory:
        limits["memory_limit_mb"] = -(-memory // _MIB)
    return {"kind": VerifierKind.STDIO, **compare, **limits}


def _python3(solutions: Any) -> list[str]:
    """Return the Python 3 programs of CodeContests' parallel lists of languages and programs."""
    if not isinstance(solutions, Mapping):
        return []
    languages, programs = listed(solutions.get("language"), "language"), listed(solutions.get("solution"), "solution")
    return [
        program for language, program in zip(languages, programs, strict=False) if language in (_PYTHON3, "PYTHON3")
    ]


def _code_contests_labels(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the labels; letters (A .. V) are positions in a contest, which cannot be compared across contests."""
    raw = row.get("difficulty")
    if isinstance(raw, int):
        known = raw < len(_CODE_CONTESTS_WORDS)
        raw = _CODE_CONTESTS_WORDS[raw] if known else chr(ord("A") + raw - len(_CODE_CONTESTS_WORDS))
    scale = "letters" if isinstance(raw, str) and len(raw) == 1 else "code_contests"
    return label("difficulty", raw, scale) + label("cf_rating", row.get("cf_rating") or None, "cf_rating")


def livecodebench(row: Mapping[str, Any], source: Source) -> Draft:  # noqa: ARG001 - all layouts are called alike
    """Read LiveCodeBench; its packed private tests are never unpickled (Jain et al. 2024, arXiv 2403.07974)."""
    public = row.get("public_test_cases") or []
    cases = from_json(public, "public_test_cases") if isinstance(public, str) else public
    private = row.get("private_test_cases") or []
    cases = [*cases, *(packed_tests(private, _MOST_UNPACKED) if isinstance(private, str) else private)]
    starter = row.get("starter_code") or ""
    name = lookup(row, "metadata.func_name")
    calls = any(case.get("testtype") == "functional" for case in cases)
    if calls and not name:
        raise Reject(Reason.MISSING_FIELD, "functional tests need metadata.func_name")
    content = need(row, "question_content")
    return Draft(
        prompt=f"{content}\n\n{starter}" if starter and isinstance(content, str) else content,
        verifier=_calls(str(name), starter) if calls else {"kind": VerifierKind.STDIO, **DECIMALS},
        tests=_functional(cases) if calls else stdio_tests([c["input"] for c in cases], [c["output"] for c in cases]),
        source_id=str(row.get("question_id", "")),
        date=as_date(row.get("contest_date")),
        language="python",
        difficulty=label("difficulty", row.get("difficulty"), "words"),
        meta={key: row[key] for key in ("question_title", "platform", "contest_id") if row.get(key)},
    )


def _functional(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return recorded calls; an input has one JSON argument per line."""
    try:
        return [
            {
                "args": [json.loads(line) for line in case["input"].split("\n") if line.strip()],
                "kwargs": {},
                "expected": json.loads(case["output"]),
            }
            for case in cases
        ]
    except ValueError as error:
        raise Reject(Reason.NOT_JSON, f"a functional test is not JSON: {error}") from error


def rllm_stdio(row: Mapping[str, Any], source: Source) -> Draft:  # noqa: ARG001 - all layouts are called alike
    """Read a stdio problem of rllm's files, whose limits stand at the end of the statement."""
    tests, problem = need(row, "tests"), text(row, "problem")
    if not isinstance(tests, Mapping):
        raise Reject(Reason.WRONG_TYPE, f"tests is {type(tests).__name__}; an object with inputs and outputs is needed")
    time, memory = _TIME.search(problem), _MEMORY.search(problem)
    seconds = int(time["seconds"]) + int(time["nanos"]) / 1e9 if time else 0
    return Draft(
        prompt=problem,
        verifier=_limited(CODE_CONTESTS, seconds, int(memory["bytes"]) if memory else 0),
        tests=stdio_tests(tests.get("inputs"), tests.get("outputs")),
        source_id="",
        reference_solutions=as_texts(row.get("solutions"), "solutions"),
        language="python",
    )
