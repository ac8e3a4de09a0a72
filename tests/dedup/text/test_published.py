"""New documents held against published ones: the same result as from scratch, and little of the index is read."""

from __future__ import annotations

import os
import random
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.text import indexing, published
from dedup.text.documents import read_documents
from dedup.text.duplicates import find_duplicates
from dedup.text.indexing import published_index
from dedup.text.published import Published
from dedup.text.similarity import Pairs
from schemas.ids import digest
from schemas.recipe.dedup import Dedup
from tests.dedup.text import brute
from tests.strategies import alike_texts, dedup_settings
from warehouse.engines import LocalEngine, SparkEngine
from warehouse.house import Warehouse
from warehouse.stages import Services

PER_TEST = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
Found = list[tuple[int, int, float]]


def _rows(texts: list[str], start: int = 0) -> pl.LazyFrame:
    """Return documents whose ids begin with their number and name their text."""
    ids = [f"{number:06d}-{digest(text)}" for number, text in enumerate(texts, start)]
    return pl.LazyFrame({"id": ids, "text": texts}, schema={"id": pl.String, "text": pl.String})


def _index(texts: list[str], config: Dedup, services: Services) -> Published:
    services.workspace.root.mkdir(exist_ok=True)
    return published_index(_rows(texts), digest(texts), config, services)


def _held_against(index: Published, texts: list[str], config: Dedup, services: Services) -> Found:
    """Return removals numbered over published and new documents together."""
    documents = read_documents(_rows(texts, 100_000), config, services)
    found = find_duplicates(documents, config, services, index)

    def rows(pairs: Pairs, witnesses: list[int]) -> Found:
        return list(zip(pairs.later.tolist(), witnesses, pairs.similarity.tolist(), strict=True))

    old = [
        rows(pairs, [int(name[:6]) for name in index.ids(pairs.earlier)])
        for pairs in (found.published, found.near_published)
    ]
    new = [rows(pairs, (pairs.earlier + 100_000).tolist()) for pairs in (found.exact, found.near)]
    return sorted(chain(*old, *new))


def _truth(old: list[str], new: list[str], config: Dedup) -> Found:
    decided = brute.decide([*old, *new], config, published=len(old))
    far = 100_000 - len(old)
    return sorted(
        (number - len(old), witness if witness < len(old) else witness + far, similar)
        for number, (_, witness, similar) in decided.items()
    )


@pytest.fixture(params=[None, 3], ids=["whole", "in pieces"])
def _pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param is not None:
        for module, name in (
            (indexing, "_ROWS_AT_ONCE"), (indexing, "_TEXTS_AT_ONCE"), (indexing, "_VALUES_AT_ONCE"),
            (published, "_AT_ONCE"), (published, "_MATCHES_AT_ONCE"), (published, "_VALUES_IN_BLOCK"),
        ):  # fmt: skip
            monkeypatch.setattr(module, name, request.param)


@pytest.mark.usefixtures("_pieces")
@PER_TEST
@given(old=alike_texts(), new=alike_texts(), config=dedup_settings())
def test_the_result_is_that_of_a_run_from_scratch_with_the_published_documents_kept_first(
    old: list[str], new: list[str], config: Dedup, services: Services
) -> None:
    """Reasons, witnesses and similarities are those of brute force over both, in which no published document goes."""
    index = _index(old, config, services)
    assert _truth(old, new, config) == _held_against(index, new, config, services)


@PER_TEST
@given(old=alike_texts(), more=alike_texts(), new=alike_texts(), config=dedup_settings())
def test_an_index_made_from_an_older_one_gives_the_same_result(
    old: list[str], more: list[str], new: list[str], config: Dedup, services: Services
) -> None:
    """What an older index holds is taken from it, and nothing changes by that."""
    _index(old, config, services)
    index = _index([*old, *more], config, services)
    assert _truth([*old, *more], new, config) == _held_against(index, new, config, services)


def test_boilerplate_is_counted_over_published_and_new_documents_together(services: Services) -> None:
    """A frame around two published and two new texts counts for nothing, though neither side has it often enough."""
    frame = " ".join(f"frame{number}" for number in range(40))
    texts = [frame + " " + " ".join(f"{name}{number}" for number in range(12)) for name in "abcd"]
    config = Dedup(threshold=0.5, keep_numbers=False, common_least=3, common_share=0.5)
    index = _index(texts[:2], config, services)
    assert [] == _held_against(index, texts[2:], config, services)
    loose = config.model_copy(update={"common_share": None})
    assert 2 == len(_held_against(index, texts[2:], loose, services))


def _words(draw: random.Random, count: int) -> str:
    return " ".join(f"w{draw.randrange(30_000)}" for _ in range(count))


def _corpus(count: int, seed: int = 1) -> list[str]:
    draw = random.Random(seed)
    return [_words(draw, draw.randint(20, 80)) for _ in range(count)]


CONFIG = Dedup(keep_numbers=False, common_share=0.2)


def test_a_batch_reads_only_the_parts_of_the_index_that_it_needs(services: Services) -> None:
    """Twenty documents, half of them edits, read a small part; and no more of an index four times as large."""
    spent = {}
    for size in (1_000, 4_000):
        old = _corpus(size)
        index = _index(old, CONFIG, services)
        on_disk = sum(path.stat().st_size for path in index.folder.iterdir())
        edits = [f"{text} and more" for text in old[:10]]
        found = _held_against(index, [*edits, *_corpus(10, seed=2)], CONFIG, services)
        assert list(range(10)) == [later for later, _, _ in found]
        spent[size] = index.reads.size / on_disk
    assert (spent[1_000] < 0.1, spent[4_000] < 1.3 * spent[1_000] / 4) == (True, True), spent


def test_a_new_index_sketches_only_what_no_older_one_holds(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 300 documents, 200 are in an older index: 100 are cut into shingles."""
    old = _corpus(300)
    _index(old[:200], CONFIG, services)
    sketched = []

    def counting(texts: list[str], settings: Dedup) -> Any:
        sketched.extend(texts)
        return plain(texts, settings)

    plain = indexing.sketch
    monkeypatch.setattr(indexing, "sketch", counting)
    _index(old, CONFIG, services)
    assert sorted(old[200:]) == sorted(sketched)
    _index(old, CONFIG, services)
    assert 100 == len(sketched)


def test_the_sweep_removes_an_index_that_nobody_used_for_long_and_the_next_use_makes_it_again(
    services: Services,
) -> None:
    """A fresh index stays; what a killed process left half made goes at once."""
    house = Warehouse.open(services.workspace.root)
    old = _corpus(20)
    folder = _index(old, CONFIG, services).folder
    half = folder.with_name(".half.999999999")
    half.mkdir()
    assert [half.name] == [Path(one.where).name for one in house.sweep()]
    os.utime(folder, (0, 0))
    assert [folder.name] == [Path(one.where).name for one in house.sweep()]
    found = _held_against(_index(old, CONFIG, services), old[:2], CONFIG, services)
    assert ([0, 1], True) == ([later for later, *_ in found], folder.exists())


def test_spark_gives_the_same_removals_as_local(services: Services, spark: SparkEngine, tmp_path: Any) -> None:
    """Index and comparison are the same whichever engine cuts and counts."""
    old, both = _corpus(300), []
    new = [*(f"{text} more" for text in old[:30]), *_corpus(30, seed=3), *_corpus(30, seed=3)]
    for name, engine in (("local", LocalEngine()), ("spark", spark)):
        own = Services(type(services.workspace)(tmp_path / name), engine)
        both.append(_held_against(_index(old, CONFIG, own), new, CONFIG, own))
    assert both[0] == both[1]
    assert 60 == len(both[0])


@given(values=st.lists(st.integers(0, 2**64 - 1), max_size=50), asked=st.lists(st.integers(0, 2**64 - 1), max_size=10))
def test_a_lookup_finds_every_occurrence_of_a_key(values: list[int], asked: list[int], tmp_path_factory: Any) -> None:
    """Keys that come several times are found as often, absent ones not at all."""
    from dedup.text.lookup import Lookup, Reads, write, write_directory

    folder = tmp_path_factory.mktemp("lookup")
    keys = np.array(sorted(values + asked[:3] * 2), np.uint64)
    write(folder, "keys", "u8", [keys])
    write_directory(folder, "keys")
    which, positions = Lookup(folder, "keys", Reads()).find(np.array(asked, np.uint64))
    expected = [(place, at) for place, value in enumerate(asked) for at in np.flatnonzero(keys == np.uint64(value))]
    assert expected == list(zip(which.tolist(), positions.tolist(), strict=True))
