"""Tests that a model wrote for published problems, admitted from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl

from schemas.records import GENERATED_TEST
from tests.flows.conftest import Demo, Ran
from warehouse.house import Warehouse

Ask = Callable[..., Ran]


def test_tests_are_admitted_by_the_answers_of_a_published_version(demo: Demo, tmp_path: Path, ask: Ask) -> None:
    """The command counts by reason, and writes the evidence of each test."""
    rows = Warehouse.open(demo.root, read_only=True).scan("demo").filter(pl.col("ability") == "code").collect()
    row = next(row for row in rows.iter_rows(named=True) if "entry_point" in row["verifier"])
    name = json.loads(row["verifier"])["entry_point"]
    texts, out = tmp_path / "texts.jsonl", tmp_path / "evidence.parquet"
    texts.write_text(json.dumps({"problem_id": row["problem_id"], "tests": [f"assert {name}() == 'no such value'"]}))
    found = ask("admit-tests", "demo", texts, "--out", out, "--warehouse", demo.root, "--mutants", "2", "--json")

    assert (0, [{"reason": "reference_fails", "tests": 1}]) == (found.code, found.json)
    assert GENERATED_TEST.names == pl.read_parquet(out).columns


def test_a_file_that_is_none_is_refused(demo: Demo, tmp_path: Path, ask: Ask) -> None:
    """Lines that are no object of a known problem and a list are named by number."""
    texts = tmp_path / "texts.jsonl"
    for line, says in (("{", "not an object"), ('{"problem_id": "p_0", "tests": []}', "not in the dataset")):
        texts.write_text(line)
        found = ask("admit-tests", "demo", texts, "--out", tmp_path / "out.parquet", "--warehouse", demo.root)
        assert 3 == found.code
        assert f"{texts}:1" in found.err.replace("\n", "")
        assert says in found.err.replace("\n", " ")
