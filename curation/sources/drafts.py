"""A problem on its way in: what a layout says of a row, checked and turned into a row of the contract `problem`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from schemas.enums import VerifierKind
from schemas.ids import canonical_json, problem_id
from schemas.recipe.sources import Limits, Source

__all__ = ["Draft", "Reason", "Reject", "problem_row", "user"]

_SHOWN = 40
_ANSWERED = {VerifierKind.MATH, VerifierKind.CHOICE, VerifierKind.EXACT, VerifierKind.JSON}


class Reason(StrEnum):
    """Why a row of a source could not become a problem."""

    NOT_JSON = "not_json"
    """The line or element does not parse as JSON."""
    INVALID_TEXT = "invalid_text"
    """Bytes that are not text in the source's encoding, or half of a surrogate pair."""
    TRUNCATED = "truncated_file"
    """The file breaks off or is corrupt from here on."""
    ROW_TOO_LARGE = "row_too_large"
    """More bytes than the recipe's limit."""
    WRONG_TYPE = "wrong_type"
    """A value has another type than the layout says."""
    MISSING_FIELD = "missing_field"
    """The layout needs a field that the row lacks."""
    NULL_PROMPT = "null_prompt"
    """There is no prompt."""
    PROMPT_TOO_LARGE = "prompt_too_large"
    """More characters than the recipe's limit."""
    NO_TESTS = "no_tests"
    """Nothing to judge an answer by."""
    TESTS_TOO_LARGE = "tests_too_large"
    """More tests, or more text in them, than the recipe's limits."""
    UNEQUAL_TESTS = "unequal_inputs_outputs"
    """A different number of inputs and outputs."""
    NULL_EXPECTED = "null_expected"
    """A test without an expected value."""
    CONTRADICTORY = "contradictory_tests"
    """Two tests with the same input and different expected values."""
    NO_FINAL_ANSWER = "no_final_answer"
    """The solution does not say its answer where the layout puts it."""
    NOT_STDIO = "not_stdio"
    """The program must read or write named files."""
    PICKLED = "pickled"
    """The value is a pickle of something else than plain text; it is never loaded."""
    DUPLICATE = "duplicate_id"
    """The same problem was read before."""
    NOT_SELECTED = "not_selected"
    """The recipe selects other rows of this source."""


class Reject(Exception):
    """A row that cannot become a problem.

    Parameters
    ----------
    reason
        Reason code.
    detail
        What was found and what is allowed.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


@dataclass
class Draft:
    """What a layout says of a row; `problem_row` checks it.

    Parameters
    ----------
    prompt
        Text, or messages with role and content.
    verifier
        ``kind`` and the settings of that kind.
    difficulty
        Labels made by `curation.sources.difficulty.label`.
    """

    prompt: Any
    verifier: dict[str, Any]
    tests: list[dict[str, Any]]
    source_id: str
    starter_code: str | None = None
    reference_solutions: Sequence[str] = ()
    wrong_solutions: Sequence[str] = ()
    license: str = "LicenseRef-unknown"
    date: date | None = None
    ability: str = "code"
    language: str | None = None
    difficulty: Sequence[dict[str, Any]] = ()
    tags: Sequence[str] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


def user(content: str) -> list[dict[str, str]]:
    """Return a prompt of one user message."""
    return [{"role": "user", "content": content}]


def problem_row(draft: Draft, source: Source, revision: str, limits: Limits) -> dict[str, Any]:
    """Return the row of the contract `problem` that ``draft`` describes.

    Raises
    ------
    Reject
        If the prompt is missing, too large or not text, or the tests are none, too many or contradict each other.
    """
    prompt = _messages(draft.prompt, limits)
    if source.compare and "compare" in draft.verifier:
        draft.verifier["compare"] = source.compare
    verifier, tests = canonical_json(draft.verifier), _tests(draft, limits)
    row = {
        "problem_id": problem_id(prompt, verifier, tests),
        "prompt": prompt,
        "verifier": verifier,
        "tests": tests,
        "starter_code": draft.starter_code,
        "reference_solutions": list(draft.reference_solutions),
        "wrong_solutions": list(draft.wrong_solutions),
        "source": source.name,
        "source_id": draft.source_id,
        "source_revision": revision,
        "license": source.license or draft.license,
        "date": draft.date,
        "ability": source.ability or draft.ability,
        "language": draft.language,
        "difficulty": list(draft.difficulty),
        "tags": list(draft.tags),
        "meta": canonical_json(dict(draft.meta)),
    }
    _refuse_half_characters(row)
    return row


def _refuse_half_characters(row: dict[str, Any]) -> None:
    """Look at all text of a row at once: this runs on every row, and recursion took a third of reading."""
    values = list(row.values())
    for value in values:
        if isinstance(value, list):
            values += value
        elif isinstance(value, dict):
            values += value.values()
    text = "\n".join(value for value in values if isinstance(value, str))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        before = text[: error.start].rpartition("\n")[2][-_SHOWN:]
        raise Reject(Reason.INVALID_TEXT, f"half of a surrogate pair after {before!r}") from error


def _messages(prompt: Any, limits: Limits) -> list[dict[str, str]]:
    if prompt is None or prompt == []:
        raise Reject(Reason.NULL_PROMPT, "the prompt is null; text or a list of messages is needed")
    messages = user(prompt) if isinstance(prompt, str) else prompt
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        raise Reject(Reason.WRONG_TYPE, f"the prompt is {type(prompt).__name__}; text or a list of messages is needed")
    if any(message.get("content") is None for message in messages):
        raise Reject(Reason.NULL_PROMPT, "a message of the prompt has null content")
    clean = [{"role": message.get("role"), "content": message["content"]} for message in messages]
    if not all(isinstance(text, str) for message in clean for text in message.values()):
        raise Reject(Reason.WRONG_TYPE, "role and content of a message must be text")
    if (size := sum(len(message["content"]) for message in clean)) > limits.prompt_chars:
        raise Reject(Reason.PROMPT_TOO_LARGE, f"{size} characters; at most {limits.prompt_chars} are allowed")
    return clean


def _tests(draft: Draft, limits: Limits) -> str:
    kind = draft.verifier["kind"]
    if not draft.tests:
        raise Reject(Reason.NO_TESTS, f"no tests; kind {kind} needs at least one")
    if len(draft.tests) > limits.tests:
        raise Reject(Reason.TESTS_TOO_LARGE, f"{len(draft.tests)} tests; at most {limits.tests} are allowed")
    _check_expected(kind, draft.tests)
    try:
        text = canonical_json(draft.tests)
    except (TypeError, ValueError, RecursionError) as error:
        raise Reject(Reason.WRONG_TYPE, f"the tests are not JSON values: {error}") from error
    if len(text) > limits.tests_chars:
        raise Reject(Reason.TESTS_TOO_LARGE, f"{len(text)} characters; at most {limits.tests_chars} are allowed")
    return text


def _check_expected(kind: str, tests: Sequence[Mapping[str, Any]]) -> None:
    """Refuse tests without an expected value, or with two for one input.

    A recorded call may well return None, so null is refused there only if no call returns anything.
    """
    if kind == VerifierKind.STDIO:
        pairs = [(test["input"], test["output"]) for test in tests]
        if not all(isinstance(text, str) for pair in pairs for text in pair if text is not None):
            raise Reject(Reason.WRONG_TYPE, "inputs and outputs must be text")
        missing = any(expected is None for _, expected in pairs)
    elif kind == VerifierKind.CALLS:
        pairs = [(_call_key(test), test["expected"]) for test in tests]
        missing = all(expected is None for _, expected in pairs)
    elif kind in _ANSWERED:
        pairs = [("", test["answer"]) for test in tests]
        missing = any(expected is None for _, expected in pairs)
    else:
        return
    if missing:
        raise Reject(Reason.NULL_EXPECTED, "a test has no expected value")
    _refuse_contradictions(pairs)


def _call_key(test: Mapping[str, Any]) -> str:
    return canonical_json([test.get("args", []), test.get("kwargs", {})])


def _refuse_contradictions(pairs: Sequence[tuple[str, Any]]) -> None:
    seen: dict[str, Any] = {}
    for number, (given, expected) in enumerate(pairs, 1):
        if given is None:
            raise Reject(Reason.WRONG_TYPE, f"test {number} has a null input")
        if seen.setdefault(given, expected) != expected:
            raise Reject(
                Reason.CONTRADICTORY,
                f"test {number} expects {str(expected)[:60]!r} where an earlier one with the same input "
                f"expects {str(seen[given])[:60]!r}",
            )
