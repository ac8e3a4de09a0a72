"""Small tables of rollouts, counts and test quality that tests are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from schemas.ids import digest, record_id
from schemas.records import PASS_RATE, ROLLOUT, TEST_QUALITY

__all__ = ["inputs", "quality", "rates", "rollout", "rollouts"]

SAMPLER = digest("sampler")


def rates(counted: Mapping[str, tuple[int, int]], **changes: Any) -> pl.LazyFrame:
    """Return counts from problem id to (n, c); ``changes`` replace other columns."""
    rows = [
        {
            "problem_id": problem,
            "policy": "model",
            "policy_revision": "1",
            "sampler": SAMPLER,
            "verifier_version": "1",
            "n": n,
            "c": c,
            "faults": 0,
            "tests_passed": c,
            "tests_total": n,
            "truncated": 0,
            "chars": 10 * n,
            "chars_correct": 10 * c,
            "min_chars_correct": 10 if c else None,
            **changes,
        }
        for problem, (n, c) in counted.items()
    ]
    return pl.LazyFrame(rows, schema=pl.Schema(PASS_RATE.arrow))


def quality(counted: Mapping[str, Mapping[str, Any]]) -> pl.LazyFrame:
    """Return test quality from problem id to what differs from five sound tests."""
    sound = {
        "n_tests": 5,
        "duplicate_tests": 0,
        "references": 1,
        "references_passed": 1,
        "wrong": 0,
        "wrong_passed": 0,
        "mutants": None,
        "mutants_killed": None,
        "trivial_passed": [],
        "flaky": False,
        "verifier_version": "1",
    }
    rows = [{"problem_id": problem, **sound, **changes} for problem, changes in counted.items()]
    return pl.LazyFrame(rows, schema=pl.Schema(TEST_QUALITY.arrow))


def rollout(problem: str, index: int, *, correct: bool | None = True, **changes: Any) -> dict[str, Any]:
    """Return one rollout; ``correct`` None is a fault of the sandbox."""
    made = {
        "problem_id": problem,
        "policy": "model",
        "policy_revision": "1",
        "sampler": SAMPLER,
        "sample_index": index,
        "response": "The answer is 1",
        "finish_reason": "stop",
        "truncated": False,
        "response_chars": 15,
        "response_tokens": None,
        "request_hash": None,
        "status": {True: "AC", False: "WA", None: "XX"}[correct],
        "passed": None if correct is None else int(correct),
        "total": None if correct is None else 1,
        "all_passed": correct,
        "verifier_version": "1",
        "isolation": "L2",
        "cpu_ms": None,
        "detail": None,
        **changes,
    }
    key = [made[name] for name in ("problem_id", "policy", "policy_revision", "sampler", "sample_index")]
    return {"rollout_id": record_id("r", *key), **made}


def rollouts(rows: Iterable[Mapping[str, Any]]) -> pl.LazyFrame:
    """Return rollouts as a table."""
    return pl.LazyFrame(list(rows), schema=pl.Schema(ROLLOUT.arrow))


def inputs(problems: pl.DataFrame, **tables: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
    """Return the inputs of filters and curricula; tables left out are empty."""
    empty = {"pass_rates": rates({}), "test_quality": quality({}), "rollouts": rollouts([])}
    return {"rows": problems.lazy(), **empty, **tables}
