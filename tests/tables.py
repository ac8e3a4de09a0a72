"""Small tables that tests are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from schemas.ids import canonical_json, problem_id
from schemas.records import DECISION, PROBLEM

__all__ = ["decisions", "problem", "problems"]


def problem(number: int, **changes: Any) -> dict[str, Any]:
    """Return a sound problem, different for each number; ``changes`` replace its fields."""
    prompt = [{"role": "user", "content": f"What is {number} plus one?"}]
    verifier = canonical_json({"kind": "math", "format": "gsm8k"})
    tests = canonical_json([{"answer": str(number + 1)}])
    made = {
        "prompt": prompt,
        "verifier": verifier,
        "tests": tests,
        "starter_code": None,
        "reference_solutions": [str(number + 1)],
        "wrong_solutions": [str(number)],
        "source": "made",
        "source_id": str(number),
        "source_revision": None,
        "license": "Apache-2.0",
        "date": None,
        "ability": "math",
        "language": None,
        "difficulty": [],
        "tags": [],
        "meta": "{}",
        **changes,
    }
    return {"problem_id": problem_id(made["prompt"], made["verifier"], made["tests"]), **made}


def problems(numbers: Iterable[int]) -> pl.DataFrame:
    """Return one sound problem per number."""
    return pl.DataFrame([problem(number) for number in numbers], schema=pl.Schema(PROBLEM.arrow))


def decisions(rows: Iterable[tuple[str, str, str]]) -> pl.LazyFrame:
    """Return decisions from (record id, verdict, reason)."""
    schema = {name: of for name, of in pl.Schema(DECISION.arrow).items() if name not in ("run_id", "stage")}
    return pl.LazyFrame(
        [{"record_id": record, "verdict": verdict, "reason": reason} for record, verdict, reason in rows],
        schema={name: schema[name] for name in ("record_id", "verdict", "reason")},
    ).with_columns(pl.lit(None, dtype=of).alias(name) for name, of in list(schema.items())[3:])
