"""A small warehouse that was built for real: two runs, two versions, and everything in the books."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from schemas.ids import canonical_json, digest, record_id
from schemas.recipe.base import Section
from schemas.records import PASS_RATE, PROMPT_SET, REJECTION, ROLLOUT, TEST_QUALITY
from tests.tables import decisions, problem, problems, prompt_row, prompt_rows
from warehouse.gate import audit
from warehouse.house import Warehouse
from warehouse.invariants import Build
from warehouse.runner import run_stage
from warehouse.stages import Services, Stage, StageResult, StageRun, no_decisions

__all__ = ["DATASET", "DROPPED", "FAILED", "FLAGGED", "HOSTILE", "build", "rollout_of", "row_of"]

DATASET = "prompts"
DROPPED, FAILED, FLAGGED = 3, 5, 4
HOSTILE = "</script><script>alert('x')</script><img src=//evil.example/x onerror=alert(1)>"
_SIZE = 8


class _Names(Section):
    numbers: list[int]


def row_of(number: int) -> dict[str, Any]:
    """Return the problem called ``number``; the dropped one's statement is hostile to HTML."""
    if number == DROPPED:
        return problem(number, prompt=[{"role": "user", "content": HOSTILE}])
    return problem(number)


def rollout_of(number: int, sample: int) -> dict[str, Any]:
    """Return one judged answer to the problem called ``number``."""
    problem_id = row_of(number)["problem_id"]
    passed = sample < number
    return {
        "rollout_id": record_id("r", problem_id, "mutants", "1", sample),
        "problem_id": problem_id,
        "policy": "mutants",
        "policy_revision": "1",
        "sampler": "0" * 32,
        "sample_index": sample,
        "response": "answer",
        "finish_reason": "stop",
        "truncated": False,
        "response_chars": 6,
        "response_tokens": None,
        "request_hash": None,
        "status": "AC" if passed else "WA",
        "passed": int(passed),
        "total": 1,
        "all_passed": passed,
        "verifier_version": "1",
        "isolation": "L1",
        "cpu_ms": 1.0,
        "detail": None,
    }


def _read(*_: Any) -> StageResult:
    refused = {"source": "made", "file": "made.jsonl", "line": 9, "reason": "no_tests", "detail": "an empty list"}
    rejections = pl.LazyFrame([refused], schema=pl.Schema(REJECTION.arrow))
    frame = pl.DataFrame([row_of(number) for number in range(_SIZE)], schema=problems([0]).schema)
    return StageResult(no_decisions(), frame.lazy(), {"rejections": rejections})


def _filters(*_: Any) -> StageResult:
    judged = decisions(
        [
            (row_of(DROPPED)["problem_id"], "drop", "too_easy"),
            (row_of(FAILED)["problem_id"], "fail", "sandbox_fault"),
            (row_of(FLAGGED)["problem_id"], "flag", "label_suspect"),
        ]
    )
    return StageResult(judged.with_columns(measured=pl.lit(0.97), threshold=pl.lit(0.9), witness=pl.lit("8 of 8")))


def _rates(numbers: Sequence[int]) -> pl.DataFrame:
    text = {"policy": "mutants", "policy_revision": "1", "sampler": "0" * 32, "verifier_version": "1"}
    rest = dict.fromkeys(("faults", "tests_passed", "tests_total", "truncated", "chars", "chars_correct"), 0)
    rows = [{"problem_id": row_of(n)["problem_id"], **text, **rest, "n": 8, "c": min(n, 8)} for n in numbers]
    return pl.DataFrame(rows, schema=pl.Schema(PASS_RATE.arrow))


def _qualities(numbers: Sequence[int]) -> pl.DataFrame:
    zero = dict.fromkeys(("duplicate_tests", "references", "references_passed", "wrong", "wrong_passed"), 0)
    rows = [
        {"problem_id": row_of(n)["problem_id"], **zero, "n_tests": 1, "flaky": False, "verifier_version": "1"}
        | {"trivial_passed": ["empty"] if n == 0 else []}
        for n in numbers
    ]
    return pl.DataFrame(rows, schema=pl.Schema(TEST_QUALITY.arrow))


def _prompts(numbers: Sequence[int]) -> pl.DataFrame:
    return prompt_rows(
        {**prompt_row(number), **row_of(number), "order_index": at} for at, number in enumerate(numbers)
    ).select(PROMPT_SET.names)


def _lineage(rows: pl.DataFrame, stages: Sequence[StageRun]) -> pl.DataFrame:
    made = [("record", row["row_id"], "record", row["problem_id"], "curricula") for row in rows.iter_rows(named=True)]
    made += [
        ("record", row["problem_id"], "record", f"{row['source']}/{row['source_id']}", "read")
        for row in rows.iter_rows(named=True)
    ]
    made += [
        ("table", f"{after.name}@{after.key}", "table", f"{before.name}@{before.key}", after.name)
        for before, after in pairwise(stages)
    ]
    made.append(("table", f"read@{stages[0].key}", "file", f"made.jsonl@{'a' * 32}", "read"))
    return pl.DataFrame(made, schema=["output_kind", "output", "input_kind", "input", "stage"], orient="row")


def build(root: Path) -> Warehouse:
    """Build two versions of one dataset: seven problems in, less what was dropped and failed, then one phase fewer."""
    house = Warehouse.open(root)
    services = Services(house.workspace)
    read = run_stage(Stage("read", "1", _read, outputs={"rejections": "rejection"}), {}, None, services)
    filters = run_stage(Stage("filters", "1", _filters), {"rows": read.rows}, None, services)
    kept = [number for number in range(_SIZE) if number not in (DROPPED, FAILED)]
    for run_id, numbers, day in (("run_1", kept, 1), ("run_2", kept[:4], 2)):
        _run(house, [read, filters], run_id, numbers, datetime(2026, 11, day, tzinfo=UTC))
    return house


def _run(house: Warehouse, stages: Sequence[StageRun], run_id: str, numbers: Sequence[int], when: datetime) -> None:
    rows = _prompts(numbers)
    made = Stage("curricula", "1", lambda *_: StageResult(no_decisions(), outputs={"prompt_set": rows.lazy()}),
                 outputs={"prompt_set": "prompt_set"})  # fmt: skip
    config = _Names(numbers=list(numbers))
    curricula = run_stage(made, {"rows": stages[-1].rows}, config, Services(house.workspace))
    chain = [*stages, curricula]
    table = curricula.tables["prompt_set"]
    _books(house, chain, run_id, rows)
    context = Build(house.workspace, chain, table.content_hash)
    published = house.publish(
        DATASET,
        "prompt_set",
        table,
        run_id=run_id,
        audit=lambda paths, of: audit(paths, of, context=context),
    )
    house.upsert_run(_record(chain, run_id, published.version.version, when, table.content_hash))


def _books(house: Warehouse, chain: Sequence[StageRun], run_id: str, rows: pl.DataFrame) -> None:
    for stage in chain:
        scan = house.workspace.scan(stage.tables["decisions"]).with_columns(run_id=pl.lit(run_id))
        house.append("decisions", scan, run_id)
    house.append("lineage", _lineage(rows, chain).with_columns(run_id=pl.lit(run_id)), run_id)
    house.append("rejections", chain[0].tables["rejections"], run_id)
    house.append("pass_rates", _rates(range(_SIZE)), run_id)
    house.append("test_quality", _qualities(range(_SIZE)), run_id)
    samples = [rollout_of(number, sample) for number in range(_SIZE) for sample in range(8)]
    house.append("rollouts", pl.DataFrame(samples, schema=pl.Schema(ROLLOUT.arrow)), run_id)


def _record(
    chain: Sequence[StageRun],
    run_id: str,
    version: str,
    when: datetime,
    content_hash: str,
) -> Mapping[str, Any]:
    return {
        "run_id": run_id,
        "dataset": DATASET,
        "dataset_version": version,
        "status": "published",
        "recipe": canonical_json({"name": DATASET}),
        "recipe_hash": digest({"name": DATASET}),
        "code_version": "0.1.0",
        "inputs": canonical_json([{"source": "made", "file": "made.jsonl", "digest": "a" * 32}]),
        "counts": canonical_json([{"stage": stage.name, **stage.counts} for stage in chain]),
        "cost": canonical_json({stage.name: {"seconds": stage.seconds} for stage in chain}),
        "content_hash": content_hash,
        "started_at": when,
        "finished_at": when,
    }
