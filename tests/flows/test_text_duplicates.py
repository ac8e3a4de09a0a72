"""`sluice dedup text`: what a person sees, writes and asks afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from flows import text_duplicates as flow
from tests.flows import small
from tests.flows.conftest import Ran
from tests.flows.test_against import _built
from tests.pages import outside

Ask = Callable[..., Ran]
BASE = "Write a function that returns the sum of all the even numbers of a list."
TEXTS = [BASE, BASE.upper(), BASE.replace("a list", "some list"), "Reverse a string.", "Count to ten."]


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """Five prompts: a copy and an edit of the first among them."""
    rows = [{"key": f"p{n}", "prompt": text, "meta": {"n": n}} for n, text in enumerate(TEXTS)]
    path = tmp_path / "my prompts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_removals_become_a_dataset_and_files(ask: Ask, prompts: Path, tmp_path: Path) -> None:
    """The triples are told, published, queried, and written; the kept rows have all their columns and their order."""
    root, removed, kept = tmp_path / "w", tmp_path / "out" / "removed.csv", tmp_path / "out" / "kept.jsonl"
    command = ("dedup", "text", prompts, "--text", "prompt", "--id", "key", "--threshold", "0.6", "--warehouse", root)
    ran = ask(*command, "--removed", removed, "--kept", kept, "--json")
    told = ran.json
    assert (0, "my_prompts_duplicates@1.0.0", 5, 3, 2) == (
        ran.code, told["dataset"], told["documents"], told["kept"], told["removed"],
    )  # fmt: skip
    assert [("read", 5, 0), ("exact", 5, 1), ("near", 4, 1)] == [
        (step["step"], step["documents"], step["removed"]) for step in told["steps"]
    ]
    expected = [["p1", "p0", 1.0, "exact", False], ["p2", "p0", 9 / 13, "near", False]]
    assert expected == [list(row) for row in pl.read_csv(removed).rows()]
    asked = ask("sql", "FROM my_prompts_duplicates ORDER BY removed_id", "--warehouse", root, "--json").json
    assert expected == [list(row.values()) for row in asked]
    with duckdb.connect(told["duckdb"], read_only=True) as connection:
        assert [tuple(row) for row in expected] == connection.execute(
            "FROM my_prompts_duplicates ORDER BY removed_id"
        ).fetchall()
    rows = [json.loads(line) for line in prompts.read_text().splitlines()]
    assert [rows[0], rows[3], rows[4]] == [json.loads(line) for line in kept.read_text().splitlines()]
    assert {"removed.csv", "kept.jsonl"} == {path.name for path in kept.parent.iterdir()}


def test_a_page_shows_what_goes_beside_what_stays(ask: Ask, prompts: Path, tmp_path: Path) -> None:
    """It lies beside the reports of builds, and shows the texts themselves, with what differs marked."""
    command = ("dedup", "text", prompts, "--text", "prompt", "--id", "key", "--threshold", "0.6", "-w", tmp_path / "w")
    report = tmp_path / "w" / "reports" / "my_prompts_duplicates" / "1.0.0.html"
    assert str(report) == ask(*command, "--json").json["report"]
    page = report.read_text()
    assert "<mark>some</mark> list." in page
    assert "<mark>a</mark> list." in page
    assert [] == outside(page)
    report.unlink()
    assert str(report) in ask(*command).out
    assert page == report.read_text()


def test_a_repeated_command_does_nothing_again(ask: Ask, prompts: Path, tmp_path: Path) -> None:
    """The same table and settings are read from finished work, and make no version; other settings do."""
    command = ("dedup", "text", prompts, "--text", "prompt", "--warehouse", tmp_path / "w", "--json")
    first, again = ask(*command).json, ask(*command).json
    other = ask(*command, "--threshold", "0.6").json
    assert (False, False) == (first["cached"], first["unchanged"])
    assert (True, True, "my_prompts_duplicates@1.0.0") == (again["cached"], again["unchanged"], again["dataset"])
    assert (2, "my_prompts_duplicates@1.1.0") == (other["removed"], other["dataset"])


def test_a_version_keeps_the_page_of_the_run_that_published_it(ask: Ask, prompts: Path, tmp_path: Path) -> None:
    """Another table of the same removals makes no version; what it tells lies on a page of its own."""
    other = tmp_path / "other.jsonl"
    other.write_text(prompts.read_text() + json.dumps({"key": "p9", "prompt": "Sort a list of words."}) + "\n")
    command = ("--text", "prompt", "--id", "key", "--name", "found", "-w", tmp_path / "w", "--json")
    first = ask("dedup", "text", prompts, *command).json
    before = Path(first["report"]).read_text()

    second = ask("dedup", "text", other, *command).json

    assert (True, "found@1.0.0") == (second["unchanged"], second["dataset"])
    assert (6, 5) == (second["documents"], first["documents"])
    assert Path(first["report"]).with_name(f"{second['page']}.html") == Path(second["report"])
    assert "1.0.0" == first["page"] != second["page"]
    assert before == Path(first["report"]).read_text()


def test_what_a_person_sees(ask: Ask, prompts: Path, tmp_path: Path) -> None:
    """A table of the steps, the least alike, where the rows went, and what to type next."""
    ran = ask("dedup", "text", prompts, "--text", "prompt", "--threshold", "0.6", "-w", tmp_path / "w")
    for said in (
        "What happened",
        "equal after normalisation",
        "The least alike",
        "Kept 3 of 5 documents",
        "sluice sql",
    ):
        assert said in ran.out


def test_ids_and_columns_may_be_called_anything(ask: Ask, tmp_path: Path) -> None:
    """What a terminal or a mark-up would act on is shown as it stands, and kept rows keep their columns."""
    rows = [{"#": "[/b]", "row": 1, "text": BASE}, {"#": "a\x1b[31m", "row": 2, "text": BASE.replace("a list", "one")}]
    path, kept = small.write(tmp_path / "odd.jsonl", rows), tmp_path / "kept.jsonl"
    command = ("dedup", "text", path, "--text", "text", "--threshold", "0.5", "-w", tmp_path / "w", "--kept", kept)
    ran = ask(*command, "--id", "#")
    assert (0, "") == (ran.code, ran.err.partition("error")[1])
    assert "a\\x1b[31m  [/b]" in ran.out
    assert 0 == ask(*command).code
    assert rows[:1] == [json.loads(line) for line in kept.read_text().splitlines()]


def test_a_dataset_is_a_table(ask: Ask, tmp_path: Path) -> None:
    """Problems of a published prompt set are documents by their ids, once each, however many curricula hold them."""
    root = tmp_path / "w"
    _built(small.recipe(tmp_path / "r", name="set"), root)
    told = ask(
        "dedup", "text", "set@1.0.0", "--threshold", "0.3", "--width", "1", "--any-numbers", "-w", root, "--json"
    ).json
    assert (12, "set_duplicates@1.0.0") == (told["documents"], told["dataset"])
    witnesses = ask("sql", "SELECT witness_id FROM set_duplicates", "-w", root, "--json").json
    assert told["removed"] == len(witnesses) > 0
    problems = ask("sql", 'SELECT DISTINCT problem_id FROM "set"', "-w", root, "--json").json
    assert {row["witness_id"] for row in witnesses} <= {row["problem_id"] for row in problems}


def test_a_table_is_held_against_published_prompts(ask: Ask, tmp_path: Path) -> None:
    """A prompt that is published already goes, with the published problem as its witness."""
    root = tmp_path / "w"
    _built(small.recipe(tmp_path / "r", name="set"), root)
    rows = [{"text": small.answer(3)["prompt"]}, {"text": "Something that nobody ever asked before in any way."}]
    path = small.write(tmp_path / "new.jsonl", rows)
    told = ask("dedup", "text", path, "--text", "text", "--against", "set@1.0.0", "-w", root, "--json").json
    assert [("published", 2, 1), ("exact", 1, 0), ("near_published", 1, 0), ("near", 1, 0)] == [
        (step["step"], step["documents"], step["removed"]) for step in told["steps"][1:]
    ]
    assert ", published</h4>" in Path(told["report"]).read_text()
    found = ask("sql", "FROM new_duplicates", "-w", root, "--json").json
    assert [("0", True)] == [(row["removed_id"], row["published"]) for row in found]


MISTAKES = {
    ("nothing.jsonl", "--text", "x"): (3, "neither a file nor a dataset"),
    ("{}",): (2, "no column is named"),
    ("{}", "--text", "promt"): (2, "did you mean 'prompt'?"),
    ("{}", "--text", "meta"): (2, "which is no text"),
    ("{}", "--text", "prompt", "--threshold", "1.5"): (2, "--threshold: Input should be less than or equal to 1"),
    ("{}", "--text", "prompt", "--against", "none@1.0.0"): (2, "no dataset is called 'none'"),
    ("{}", "--text", "prompt", "--against", "none"): (2, "--against"),
    ("{}", "--text", "prompt", "--engine", "cloud"): (2, "no engine is called 'cloud'"),
    ("{}", "--text", "prompt", "--kept", "k.xlsx"): (2, "has no known format"),
    ("{}", "--text", "prompt", "--kept", "k.csv"): (3, "cannot be written"),
}


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_a_mistake_is_told_in_a_line(
    arguments: tuple[str, ...], ask: Ask, prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was given, what is allowed, and no traceback."""
    monkeypatch.chdir(tmp_path)
    ran = ask("dedup", "text", *(argument.format(prompts) for argument in arguments), "-w", tmp_path / "w")
    code, said = MISTAKES[arguments]
    assert (code, True) == (ran.code, said in ran.err), ran.err
    assert "Traceback" not in ran.err
    assert [] == list(tmp_path.glob("k.*")) + list(tmp_path.glob(".k.*"))


def test_datasets_are_named_after_their_tables() -> None:
    """Any table has a name that a dataset may have."""
    names: list[Any] = [flow.default_name(name) for name in ("../a b.csv", "set@1.2.0", "data/*.parquet", "dir")]
    assert ["a_b_duplicates", "set_duplicates", "texts_duplicates", "dir_duplicates"] == names
