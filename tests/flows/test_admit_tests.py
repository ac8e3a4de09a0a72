"""Answers, and tests that a model wrote, judged from the command line by the problems of a published version."""

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


def test_verdicts_are_kept(demo: Demo, tmp_path: Path, ask: Ask) -> None:
    """Any text may be an answer; asked again, each verdict is the one that was paid for, to the CPU time it took."""
    rows = Warehouse.open(demo.root, read_only=True).scan("demo").filter(pl.col("ability") == "math").collect()
    name, answers = rows["problem_id"][0], tmp_path / "answers.jsonl"
    lines = [json.dumps({"problem_id": name, "answer": f"x\u2028\x85{n}"}, ensure_ascii=False) for n in range(2)]
    answers.write_text("\ufeff" + "\n\n".join(lines) + "\n", encoding="utf-8")
    first, second = (ask("verify", "demo", answers, "--warehouse", demo.root, "--json") for _ in range(2))

    assert ["WA", "WA"] == [verdict["status"] for verdict in first.json]
    assert (0, first.json) == (second.code, second.json)


def test_answers_that_are_none_are_refused(demo: Demo, tmp_path: Path, ask: Ask) -> None:
    """An empty file, nesting that no parser follows, settings out of range."""
    answers = tmp_path / "answers.jsonl"
    for text, more, code, says in (
        ("\n", (), 3, "is empty"),
        ("[" * 100_000, (), 3, "answers.jsonl:1"),
        ("{}", ("--isolation", "L9"), 2, "'L9' is not one of"),
    ):
        answers.write_text(text)
        found = ask("verify", "demo", answers, "--warehouse", demo.root, *more)
        assert code == found.code
        assert says in found.err.replace("\n", "")
