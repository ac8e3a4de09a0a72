"""Documents of any table: the invariants by name, held against brute force, and tables that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from dedup.text.table_stage import TEXT_DUPLICATES, text_duplicates
from dedup.text.tables import documents_of
from schemas.recipe.dedup import Dedup
from schemas.recipe.texts import TextTable
from tests.dedup.text import brute
from tests.dedup.text.asked import asked_of, numbered, triples, written
from tests.strategies import alike_texts, dedup_settings
from warehouse.engines import SparkEngine
from warehouse.runner import run_stage
from warehouse.stages import Services

PER_TEST = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@PER_TEST
@given(texts=alike_texts(), config=dedup_settings())
def test_the_output_is_removed_witness_and_exact_similarity(
    texts: list[str], config: Dedup, services: Services, tmp_path: Path
) -> None:
    """Each triple is what the definitions say, one document at a time."""
    truth = brute.decide(texts, config)
    expected = sorted((f"{n:03d}", f"{witness:03d}", similar) for n, (_, witness, similar) in truth.items())
    assert expected == triples(written(tmp_path / "t.parquet", numbered(texts), config, id="id"), services)


def test_a_document_of_three_words_equal_to_another_is_its_copy(services: Services, tmp_path: Path) -> None:
    """Too short for any shingle, it is found all the same."""
    table = written(tmp_path / "t.jsonl", {"text": ["Sort a list.", "Reverse a list.", "sort  a list."]})
    assert [("2", "0", 1.0)] == triples(table, services)


def test_a_chain_keeps_both_ends(services: Services, tmp_path: Path) -> None:
    """A-B and B-C at 0.75, A-C at 0.56: connected components would keep A alone; here A and C stay."""
    words = [f"w{number}" for number in range(32)]
    a, b, c = words, [*words[:-4], *"pqrs"], ["k", "l", "m", "n", *words[4:-4], *"pqrs"]
    config = Dedup(threshold=0.7, keep_numbers=False)
    table = written(tmp_path / "t.csv", {"text": [" ".join(text) for text in (a, b, c)]}, config)
    assert [("1", "0", 24 / 32)] == triples(table, services)


@pytest.mark.parametrize(("shingles", "replaced"), [(100, 6), (60, 2)])
def test_replaced_words_leave_the_known_similarity(
    shingles: int, replaced: int, services: Services, tmp_path: Path
) -> None:
    """L inner words of n 5-gram shingles replaced leave (n - L - 4) / (n + L + 4); the last m, (n - m) / (n + m)."""
    words = [f"w{number}" for number in range(shingles + 4)]
    new = [f"x{number}" for number in range(replaced)]
    texts = [words, [*words[:20], *new, *words[20 + replaced :]], [*words[:-replaced], *new]]
    config = Dedup(threshold=0.5, keep_numbers=False)
    table = written(tmp_path / "t.csv", {"text": [" ".join(text) for text in texts]}, config)
    inner = (shingles - replaced - 4) / (shingles + replaced + 4)
    assert [("1", "0", inner), ("2", "0", (shingles - replaced) / (shingles + replaced))] == triples(table, services)


def test_the_longest_of_two_alike_stays_if_asked(services: Services, tmp_path: Path) -> None:
    """By default the smaller id stays."""
    base = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    rows = {"text": [base, f"{base} fifteen"]}
    first = triples(written(tmp_path / "t.csv", rows), services)
    longest = triples(written(tmp_path / "t.csv", rows, Dedup(prefer=("longest",))), services)
    assert ([("1", "0", 10 / 11)], [("0", "1", 10 / 11)]) == (first, longest)


def test_texts_of_several_columns_and_messages_are_joined(services: Services, tmp_path: Path) -> None:
    """A title and a body are one document; of messages, what is not the system's; a row of nulls is none."""
    rows = {"id": [1, 2, 3, 4], "title": ["Sum", "Sum", None, None], "body": ["add two", "add  two", "add two", None]}
    plain = written(tmp_path / "t.parquet", rows, text=("title", "body"), id="id")
    chats = [[("system", system), ("user", "Add two numbers.")] for system in ("Be brief.", "Be kind.")]
    messages = [[{"role": role, "content": content} for role, content in chat] for chat in chats]
    chat = written(tmp_path / "c.jsonl", {"id": ["a", "b"], "chat": messages}, text=("chat",), id="id")
    assert ([("2", "1", 1.0)], [("b", "a", 1.0)]) == (triples(plain, services), triples(chat, services))
    steps = {row["step"]: row["aside"] for row in _steps(plain, services)}
    assert 1 == steps["read"]


def _steps(table: TextTable, services: Services) -> list[dict[str, Any]]:
    return text_duplicates({}, table, services).outputs["steps"].collect().to_dicts()


def test_rows_of_one_id_are_one_document(services: Services, tmp_path: Path) -> None:
    """A record that a table holds twice is no duplicate of itself."""
    rows = {"id": ["a", "a", "b"], "text": ["Add two.", "Add two.", "add two."]}
    table = written(tmp_path / "t.parquet", rows, id="id")
    assert [("b", "a", 1.0)] == triples(table, services)
    assert [(3, 1), (2, 0), (1, 1)] == [(row["documents"], row["aside"]) for row in _steps(table, services)]


def test_spark_gives_the_same_content_hashes_as_local(services: Services, spark: SparkEngine, tmp_path: Path) -> None:
    """Removals and steps of a table have equal hashes on both engines, by prefixes and by MinHash."""
    texts = [f"{' '.join(f'w{(n * 7 + k) % 90}' for k in range(30))} {'twice' * (n % 2)}" for n in range(120)]
    hashes = []
    for candidates in ("exact", "minhash"):
        config = Dedup(keep_numbers=False, candidates=candidates, threshold=0.6)
        table = written(tmp_path / "t.parquet", {"text": texts}, config)
        for engine in (None, spark):
            own = Services(type(services.workspace)(tmp_path / f"{candidates}-{engine is None}"), engine)
            run = run_stage(TEXT_DUPLICATES, {}, table, own)
            assert run.rows.rows > 30
            hashes.append({name: ref.content_hash for name, ref in run.tables.items()})
    assert hashes[0] == hashes[1]
    assert hashes[2] == hashes[3]


def test_the_same_content_elsewhere_is_not_worked_on_again(services: Services, tmp_path: Path) -> None:
    """The stage's key follows content and settings, not the place of a file; a changed byte is a new table."""
    rows = {"text": ["Add two.", "add two."]}
    path = tmp_path / "t.jsonl"
    first = run_stage(TEXT_DUPLICATES, {}, written(path, rows), services)
    again = run_stage(TEXT_DUPLICATES, {}, asked_of(path), services)
    path.write_text(path.read_text() + json.dumps({"text": "ADD TWO."}) + "\n")
    changed = run_stage(TEXT_DUPLICATES, {}, asked_of(path), services)
    assert ((False, 1), (True, 1), (False, 2)) == tuple((run.cached, run.rows.rows) for run in (first, again, changed))


def test_documents_come_lazily_with_their_row_numbers(services: Services, tmp_path: Path) -> None:
    """Rows without an id are numbered over all files."""
    for name, texts in (("a", ["x", "y"]), ("b", ["z"])):
        written(tmp_path / "p" / f"{name}.csv", {"text": texts, "other": texts})
    rows = documents_of(asked_of(tmp_path / "p"), services.workspace).collect().rows()
    assert [(0, "x"), (1, "y"), (2, "z")] == rows
