"""Small tables that tests are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from schemas.books import DECISION
from schemas.ids import canonical_json, problem_id, record_id
from schemas.records import PROBLEM, PROMPT_SET
from schemas.registry import contract
from schemas.tables import TableRef
from warehouse.fingerprint import content_hash
from warehouse.stages import Workspace

__all__ = ["decisions", "problem", "problems", "prompt_row", "prompt_rows", "stored"]


def stored(workspace: Workspace, name: str, frame: pl.DataFrame | pl.LazyFrame, of: str) -> TableRef:
    """Write a table into the folder of a warehouse, under the contract ``of``, and refer to it."""
    path = workspace.root / "in" / name / "part-00000.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.lazy().select(contract(of).names).sink_parquet(path)
    return TableRef(f"in/{name}", of, *content_hash([path], contract(of)))


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


def prompt_row(number: int, phase: str = "stage1", **changes: Any) -> dict[str, Any]:
    """Return a sound row of a prompt set, ``number``-th of its phase; ``changes`` replace its fields."""
    own = {name: value for name, value in changes.items() if name in PROBLEM.names}
    made = problem(number, **own)
    curriculum = changes.get("curriculum", "drive")
    return {
        **made,
        "row_id": record_id("s", made["problem_id"], curriculum, phase, changes.get("dup_index", 0)),
        "curriculum": curriculum,
        "phase": phase,
        "order_index": number,
        "dup_index": 0,
        "band": "medium",
        "policy": "mutants",
        "policy_revision": "1",
        "sampler": "0" * 32,
        "n": 8,
        "c": number % 9,
        "n_tests": 1,
        "mutants": None,
        "mutants_killed": None,
        "flags": [],
        **changes,
    }


def prompt_rows(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as a prompt set."""
    return pl.DataFrame(list(rows), schema=pl.Schema(PROMPT_SET.arrow), orient="row")
