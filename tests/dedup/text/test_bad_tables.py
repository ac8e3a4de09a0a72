"""Tables that cannot be used, and tables that are merely strange."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dedup.text.tables import files_at
from schemas.errors import InputError, UsageError
from schemas.recipe.dedup import Dedup
from tests.dedup.text.asked import asked_of, triples, written
from warehouse.stages import Services

WORDS = "one two three four five six seven eight nine ten eleven twelve"
FAULTS: dict[str, tuple[dict[str, list[Any]], dict[str, Any], type[Exception]]] = {
    "no column 'txet'": ({"text": ["a"]}, {"text": ("txet",)}, UsageError),
    "no column 'key'": ({"text": ["a"]}, {"id": "key"}, UsageError),
    "holds Float64, which is no text": ({"text": [1.5]}, {}, UsageError),
    "holds Binary, which is no text": ({"text": [b"a"]}, {}, UsageError),
    r"holds List\(Int64\), which names no document": ({"id": [[1]], "text": ["a"]}, {"id": "id"}, UsageError),
    "holds Binary, which names no document": ({"id": [b"\xff"], "text": ["a"]}, {"id": "id"}, UsageError),
    "rows with no id": ({"id": ["a", None], "text": ["a", "b"]}, {"id": "id"}, InputError),
    "several texts under the id 'a'": ({"id": ["a", "a"], "text": ["a", "b"]}, {"id": "id"}, InputError),
    "several texts under the id 'b'": ({"id": ["b", "b"], "text": ["a", None]}, {"id": "id"}, InputError),
    "no document": ({"text": []}, {}, InputError),
    "holds no document": ({"text": [None, None]}, {}, InputError),
}


@pytest.mark.parametrize("said", FAULTS)
def test_a_table_that_is_not_as_it_should_be_is_told(said: str, services: Services, tmp_path: Path) -> None:
    """What was found, and what is allowed."""
    rows, columns, error = FAULTS[said]
    frame = pl.DataFrame(rows, schema_overrides=None if rows["text"] else {"text": pl.String})
    with pytest.raises(error, match=said):
        triples(written(tmp_path / "t.parquet", frame, **columns), services)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.parquet", b"PAR1 but not really", "cannot be read"),
        ("t.jsonl", b'{"text": "a"}\n{"text": \n', "cannot be read"),
        ("t.jsonl", b"[1, 2]\n[3]\n", "cannot be read"),
        ("t.jsonl", b"", "is empty"),
        ("t.csv", b"", "is empty"),
        ("t.csv", b"text\n", "holds no document"),
        ("t.csv", b"text\n\xff\xfe broken \xff\n", "cannot be read"),
        ("t.csv", b"id,text\na,x,y\nb\n", "cannot be read"),
        ("t.csv", b"text,text\na,b\n", "several columns called 'text'"),
        ("t.csv", "text\na\n".encode("utf-16"), "no column 'text'"),
    ],
)
def test_a_broken_file_is_named(name: str, content: bytes, said: str, services: Services, tmp_path: Path) -> None:
    """A file that cannot be read is an error of one line, not a crash."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises((InputError, UsageError), match=said) as raised:
        triples(asked_of(tmp_path / name), services)
    assert name in raised.value.message or said == "holds no document"


def test_files_are_found_by_path_folder_and_pattern(tmp_path: Path) -> None:
    """What has another format is left out of a folder, and refused where it is named."""
    for name in ("a.csv", "b.jsonl", "in/c.parquet", "d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text\n")
    names = [[Path(f.name).name for f in files_at(str(tmp_path / path))] for path in ("", "*.csv", "b.jsonl", "none")]
    assert [["a.csv", "b.jsonl", "c.parquet"], ["a.csv"], ["b.jsonl"], []] == names
    with pytest.raises(InputError, match=r"d\.txt has no known format"):
        files_at(str(tmp_path / "d.txt"))


CHARACTERS = Dedup(unit="characters", width=3, fewest=2, threshold=0.8)
ARABIC = "اكتب دالة تعيد مجموع كل الأعداد الزوجية في قائمة من الأعداد"
CHINESE = "给定一个整数数组和一个目标值"
STRANGE: dict[str, tuple[list[str | None], Dedup, list[tuple[str, str]]]] = {
    "empty texts are copies of one another": (["", "  \n", "\t"], Dedup(), [("1", "0"), ("2", "0")]),
    "a text of one word is compared whole": (["word", "Word ", "words"], Dedup(), [("1", "0")]),
    "white space and case make no difference": ([WORDS, WORDS.upper().replace(" ", "\r\n\t")], Dedup(), [("1", "0")]),
    "composed and combining marks are the same": (["\u00e9 \u1ed9", "e\u0301 o\u0323\u0302"], Dedup(), [("1", "0")]),
    "punctuation alone makes near-duplicates": ([WORDS, WORDS.replace(" ", ", ")], Dedup(), [("1", "0")]),
    "emoji are told apart": (["\U0001f600 \U0001f600", "\U0001f600  \U0001f600", "\U0001f601"], Dedup(), [("1", "0")]),
    "Arabic words are words": ([ARABIC, f"{ARABIC} الآن"], Dedup(threshold=0.7), [("1", "0")]),
    "a script without spaces is compared by characters": ([CHINESE, f"{CHINESE}。"], CHARACTERS, [("1", "0")]),
    "a script without spaces is one word to words": ([CHINESE, f"{CHINESE}呢"], Dedup(fewest=1), []),
    "a NUL byte parts words and is kept": (["a\0b", "a\0b", "ab"], Dedup(), [("1", "0")]),
    "a row without a text is no document": ([None, "a", "A"], Dedup(), [("2", "1")]),
}


@pytest.mark.parametrize("case", STRANGE)
def test_strange_texts_get_the_right_result(case: str, services: Services, tmp_path: Path) -> None:
    """Each as its name says."""
    texts, config, expected = STRANGE[case]
    found = triples(written(tmp_path / "t.jsonl", {"text": texts}, config), services)
    assert expected == [row[:2] for row in found]


@pytest.mark.parametrize("candidates", ["exact", "minhash"])
def test_ten_thousand_equal_documents_leave_one(candidates: str, services: Services, tmp_path: Path) -> None:
    """And so do as many near-copies of one, without all their pairs being compared."""
    equal = written(tmp_path / "t.parquet", {"text": [WORDS] * 10_000}, Dedup(candidates=candidates))
    assert (9_999, {"0"}) == _size(triples(equal, services))
    near = [f"{WORDS} {WORDS} and then {'x' * (number % 7)}{number % 1_000}" for number in range(3_000)]
    config = Dedup(candidates=candidates, keep_numbers=False, common_share=None, threshold=0.7)
    found = triples(written(tmp_path / "n.parquet", {"text": near}, config), services)
    assert (2_999, {"0"}) == _size(found)


def _size(found: list[tuple[str, str, float]]) -> tuple[int, set[str]]:
    return len(found), {witness for _, witness, _ in found}


def test_a_document_of_a_megabyte_is_compared_like_others(services: Services, tmp_path: Path) -> None:
    """A hundred thousand words, of which one differs; a word of a million letters is one word."""
    words = [
        f"{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676 % 26)}{'z' * (n % 9)}" for n in range(120_000)
    ]
    texts = [" ".join(words), " ".join([*words[:500], "changed", *words[501:]]), "x" * 1_000_000]
    found = triples(written(tmp_path / "t.parquet", {"text": texts}), services)
    assert [("1", "0")] == [row[:2] for row in found]


def test_a_dictionary_of_texts_is_texts(services: Services, tmp_path: Path) -> None:
    """Categories, as pandas writes them, are read by their names."""
    frame = pl.DataFrame({"text": ["a b", "A B", "c"]}, schema_overrides={"text": pl.Categorical})
    assert [("1", "0", 1.0)] == triples(written(tmp_path / "t.parquet", frame), services)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_name_that_is_a_pattern_is_a_name(suffix: str, services: Services, tmp_path: Path) -> None:
    """A file called ``a[1]`` is read, and not ``a1`` beside it."""
    written(tmp_path / f"a1{suffix}", {"text": ["something else"]})
    assert 1 == len(triples(written(tmp_path / f"a[1]{suffix}", {"text": [WORDS, WORDS]}), services))
