"""Documents of any table: the invariants by name, held against brute force, and tables that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.text import documents
from dedup.text.table_stage import TEXT_DUPLICATES, text_duplicates
from dedup.text.tables import documents_of, files_at
from schemas.errors import InputError, UsageError
from schemas.recipe.dedup import Dedup, PinnedDedup
from schemas.recipe.texts import TextTable
from tests.dedup.text import brute
from tests.strategies import alike_texts, dedup_settings
from warehouse.engines import SparkEngine
from warehouse.stages import Services, run_stage

PER_TEST = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
Triple = tuple[str, str, float]


def _table(path: Path, rows: Any, alike: Dedup | None = None, **columns: Any) -> TextTable:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows)
    {".parquet": frame.write_parquet, ".csv": frame.write_csv, ".jsonl": frame.write_ndjson}[path.suffix](path)
    return _of(path, alike, **columns)


def _of(path: Path | str, alike: Dedup | None = None, **columns: Any) -> TextTable:
    pinned = PinnedDedup(**(alike or Dedup()).model_dump())
    return TextTable(files=files_at(str(path)), **{"text": ("text",), "alike": pinned, **columns})


def _found(table: TextTable, services: Services) -> list[Triple]:
    rows = text_duplicates({}, table, services).rows
    return rows.select("removed_id", "witness_id", "similarity").collect().rows()


def _numbered(texts: list[str]) -> dict[str, list[Any]]:
    """Return texts with ids of one width, in order of preference."""
    return {"id": [f"{number:03d}" for number in range(len(texts))], "text": texts}


@PER_TEST
@given(texts=alike_texts(), config=dedup_settings())
def test_the_output_is_removed_witness_and_exact_similarity(
    texts: list[str], config: Dedup, services: Services, tmp_path: Path
) -> None:
    """Each triple is what the definitions say, one document at a time."""
    truth = brute.decide(texts, config)
    expected = sorted((f"{n:03d}", f"{witness:03d}", similar) for n, (_, witness, similar) in truth.items())
    assert expected == _found(_table(tmp_path / "t.parquet", _numbered(texts), config, id="id"), services)


@PER_TEST
@given(texts=alike_texts(), seed=st.integers(0, 99), cut=st.integers(0, 12))
def test_the_result_does_not_depend_on_row_order_or_partitioning(
    texts: list[str], seed: int, cut: int, services: Services, tmp_path: Path
) -> None:
    """Shuffled rows in two files, read in small batches, give the same triples."""
    config = Dedup(width=2, fewest=2, threshold=0.5)
    expected = _found(_table(tmp_path / "t.parquet", _numbered(texts), config, id="id"), services)
    shuffled = pl.DataFrame(_numbered(texts)).sample(fraction=1, shuffle=True, seed=seed)
    for name, part in (("a", shuffled[:cut]), ("b", shuffled[cut:])):
        _table(tmp_path / "parts" / f"{name}.parquet", part)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "_ROWS_AT_ONCE", 3)
        patch.setattr(documents, "_TEXTS_AT_ONCE", 2)
        assert expected == _found(_of(tmp_path / "parts", config, id="id"), services)


@PER_TEST
@given(texts=alike_texts(), config=dedup_settings())
def test_every_removed_document_has_a_kept_witness(
    texts: list[str], config: Dedup, services: Services, tmp_path: Path
) -> None:
    """A witness is never removed itself, and reaches the threshold."""
    found = _found(_table(tmp_path / "t.parquet", _numbered(texts), config, id="id"), services)
    removed = {row[0] for row in found}
    assert [] == [row for row in found if row[1] in removed or row[2] < config.threshold]


@PER_TEST
@given(texts=alike_texts(), config=dedup_settings())
def test_no_two_kept_documents_reach_the_threshold(
    texts: list[str], config: Dedup, services: Services, tmp_path: Path
) -> None:
    """Running again over what was kept finds nothing."""
    plain = config.model_copy(update={"common_share": None})
    rows = pl.DataFrame(_numbered(texts))
    gone = [row[0] for row in _found(_table(tmp_path / "t.parquet", rows, plain, id="id"), services)]
    kept = rows.filter(~pl.col("id").is_in(gone))
    assert [] == _found(_table(tmp_path / "kept.parquet", kept, plain, id="id"), services)


@given(words=st.lists(st.sampled_from(["add", "two", "numbers", "now"]), max_size=5), copies=st.integers(0, 3))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_short_documents_are_never_dropped_for_being_short(
    words: list[str], copies: int, services: Services, tmp_path: Path
) -> None:
    """A document of a few words goes only as the copy of another: one of them always stays."""
    short = " ".join(words)
    texts = [*[short] * (copies + 1), "a long document of many words that resembles nothing else in this table at all"]
    found = _found(_table(tmp_path / "t.parquet", _numbered(texts), id="id"), services)
    assert [(f"{n:03d}", "000", 1.0) for n in range(1, copies + 1)] == found


def test_a_document_of_three_words_equal_to_another_is_its_copy(services: Services, tmp_path: Path) -> None:
    """Too short for any shingle, it is found all the same."""
    table = _table(tmp_path / "t.jsonl", {"text": ["Sort a list.", "Reverse a list.", "sort  a list."]})
    assert [("2", "0", 1.0)] == _found(table, services)


def test_a_chain_keeps_both_ends(services: Services, tmp_path: Path) -> None:
    """A-B and B-C at 0.75, A-C at 0.56: connected components would keep A alone; here A and C stay."""
    words = [f"w{number}" for number in range(32)]
    a, b, c = words, [*words[:-4], *"pqrs"], ["k", "l", "m", "n", *words[4:-4], *"pqrs"]
    config = Dedup(threshold=0.7, keep_numbers=False)
    table = _table(tmp_path / "t.csv", {"text": [" ".join(text) for text in (a, b, c)]}, config)
    assert [("1", "0", 24 / 32)] == _found(table, services)


@pytest.mark.parametrize(("shingles", "replaced"), [(100, 6), (60, 2)])
def test_replaced_words_leave_the_known_similarity(
    shingles: int, replaced: int, services: Services, tmp_path: Path
) -> None:
    """L inner words of n 5-gram shingles replaced leave (n - L - 4) / (n + L + 4); the last m, (n - m) / (n + m)."""
    words = [f"w{number}" for number in range(shingles + 4)]
    new = [f"x{number}" for number in range(replaced)]
    texts = [words, [*words[:20], *new, *words[20 + replaced :]], [*words[:-replaced], *new]]
    config = Dedup(threshold=0.5, keep_numbers=False)
    table = _table(tmp_path / "t.csv", {"text": [" ".join(text) for text in texts]}, config)
    inner = (shingles - replaced - 4) / (shingles + replaced + 4)
    assert [("1", "0", inner), ("2", "0", (shingles - replaced) / (shingles + replaced))] == _found(table, services)


def test_the_longest_of_two_alike_stays_if_asked(services: Services, tmp_path: Path) -> None:
    """By default the smaller id stays."""
    base = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    rows = {"text": [base, f"{base} fifteen"]}
    first = _found(_table(tmp_path / "t.csv", rows), services)
    longest = _found(_table(tmp_path / "t.csv", rows, Dedup(prefer=("longest",))), services)
    assert ([("1", "0", 10 / 11)], [("0", "1", 10 / 11)]) == (first, longest)


def test_texts_of_several_columns_and_messages_are_joined(services: Services, tmp_path: Path) -> None:
    """A title and a body are one document; of messages, what is not the system's; a row of nulls is none."""
    rows = {"id": [1, 2, 3, 4], "title": ["Sum", "Sum", None, None], "body": ["add two", "add  two", "add two", None]}
    plain = _table(tmp_path / "t.parquet", rows, text=("title", "body"), id="id")
    chats = [[("system", system), ("user", "Add two numbers.")] for system in ("Be brief.", "Be kind.")]
    messages = [[{"role": role, "content": content} for role, content in chat] for chat in chats]
    chat = _table(tmp_path / "c.jsonl", {"id": ["a", "b"], "chat": messages}, text=("chat",), id="id")
    assert ([("2", "1", 1.0)], [("b", "a", 1.0)]) == (_found(plain, services), _found(chat, services))
    steps = {row["step"]: row["aside"] for row in _steps(plain, services)}
    assert 1 == steps["read"]


def _steps(table: TextTable, services: Services) -> list[dict[str, Any]]:
    return text_duplicates({}, table, services).outputs["steps"].collect().to_dicts()


def test_rows_of_one_id_are_one_document(services: Services, tmp_path: Path) -> None:
    """A record that a table holds twice is no duplicate of itself."""
    rows = {"id": ["a", "a", "b"], "text": ["Add two.", "Add two.", "add two."]}
    table = _table(tmp_path / "t.parquet", rows, id="id")
    assert [("b", "a", 1.0)] == _found(table, services)
    assert [(3, 1), (2, 0), (1, 1)] == [(row["documents"], row["aside"]) for row in _steps(table, services)]


FAULTS: dict[str, tuple[dict[str, list[Any]], dict[str, Any], type[Exception]]] = {
    "no column 'txet'": ({"text": ["a"]}, {"text": ("txet",)}, UsageError),
    "no column 'key'": ({"text": ["a"]}, {"id": "key"}, UsageError),
    "holds Float64, which is no text": ({"text": [1.5]}, {}, UsageError),
    "rows with no id": ({"id": ["a", None], "text": ["a", "b"]}, {"id": "id"}, InputError),
    "several texts under the id 'a'": ({"id": ["a", "a"], "text": ["a", "b"]}, {"id": "id"}, InputError),
    "no document": ({"text": []}, {}, InputError),
}


@pytest.mark.parametrize("said", FAULTS)
def test_a_table_that_is_not_as_it_should_be_is_told(said: str, services: Services, tmp_path: Path) -> None:
    """What was found, and what is allowed."""
    rows, columns, error = FAULTS[said]
    frame = pl.DataFrame(rows, schema_overrides=None if rows["text"] else {"text": pl.String})
    with pytest.raises(error, match=said):
        _found(_table(tmp_path / "t.parquet", frame, **columns), services)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.parquet", b"PAR1 but not really"),
        ("t.jsonl", b'{"text": "a"}\n{"text": \n'),
        ("t.csv", b"text\n\xff\xfe broken \xff\n"),
    ],
)
def test_a_broken_file_is_named(name: str, content: bytes, services: Services, tmp_path: Path) -> None:
    """A file that cannot be read is an input error, not a crash."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        _found(_of(tmp_path / name), services)


def test_files_are_found_by_path_folder_and_pattern(tmp_path: Path) -> None:
    """What has another format is left out of a folder, and refused where it is named."""
    for name in ("a.csv", "b.jsonl", "in/c.parquet", "d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text\n")
    names = [[Path(f.name).name for f in files_at(str(tmp_path / path))] for path in ("", "*.csv", "b.jsonl", "none")]
    assert [["a.csv", "b.jsonl", "c.parquet"], ["a.csv"], ["b.jsonl"], []] == names
    with pytest.raises(InputError, match=r"d\.txt has no known format"):
        files_at(str(tmp_path / "d.txt"))


def test_spark_gives_the_same_content_hashes_as_local(services: Services, spark: SparkEngine, tmp_path: Path) -> None:
    """Removals and steps of a table have equal hashes on both engines, by prefixes and by MinHash."""
    texts = [f"{' '.join(f'w{(n * 7 + k) % 90}' for k in range(30))} {'twice' * (n % 2)}" for n in range(120)]
    hashes = []
    for candidates in ("exact", "minhash"):
        config = Dedup(keep_numbers=False, candidates=candidates, threshold=0.6)
        table = _table(tmp_path / "t.parquet", {"text": texts}, config)
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
    first = run_stage(TEXT_DUPLICATES, {}, _table(path, rows), services)
    again = run_stage(TEXT_DUPLICATES, {}, _of(path), services)
    path.write_text(path.read_text() + json.dumps({"text": "ADD TWO."}) + "\n")
    changed = run_stage(TEXT_DUPLICATES, {}, _of(path), services)
    assert ((False, 1), (True, 1), (False, 2)) == tuple((run.cached, run.rows.rows) for run in (first, again, changed))


def test_documents_come_lazily_with_their_row_numbers(services: Services, tmp_path: Path) -> None:
    """Rows without an id are numbered over all files."""
    for name, texts in (("a", ["x", "y"]), ("b", ["z"])):
        _table(tmp_path / "p" / f"{name}.csv", {"text": texts, "other": texts})
    rows = documents_of(_of(tmp_path / "p"), services.workspace).collect().rows()
    assert [(0, "x"), (1, "y"), (2, "z")] == rows
