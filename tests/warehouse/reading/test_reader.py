"""The reader's order depends on the seed alone, and any interruption resumes it exactly on any number of ranks."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import InputError, UsageError
from schemas.recipe.publish import Publish
from schemas.records import PROMPT_SET
from tests.tables import prompt_row, prompt_rows
from warehouse.reading import Reader, ReaderState, Weight
from warehouse.reading.draws import copies, permutation, ranking
from warehouse.reading.spool import Spool
from warehouse.release.info import ReleaseInfo
from warehouse.release.write import write_release

_ROWS = 103
_COLUMNS = ("order_index",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of two phases; the first in shards of 4 rows at most, so that windows are many."""
    path = tmp_path_factory.mktemp("published") / "rows.parquet"
    bands = ("easy", "medium", "hard", None)
    rows = [prompt_row(n, band=bands[n % 4]) for n in range(_ROWS)] + [prompt_row(n, "stage2.1") for n in range(5)]
    prompt_rows(rows).write_parquet(path)
    info = ReleaseInfo("demo", "1.0.0", datetime(2026, 1, 1, tzinfo=UTC), publish=Publish(shards=32, min_shard_rows=1))
    return write_release([path], PROMPT_SET, info, path.parent / "1.0.0").folder


def _reader(folder: Path, **changes: object) -> Reader:
    return Reader(folder, split="stage1", columns=_COLUMNS, **changes)  # type: ignore[arg-type]


def _taken(reader: Reader, rows: int | None = None) -> list[int]:
    return [row["order_index"] for row in islice(reader, rows)]


def _interleaved(shares: list[list[int]]) -> list[int]:
    """Return what ranks took, in the order of positions."""
    longest = max(map(len, shares))
    return [share[turn] for turn in range(longest) for share in shares if turn < len(share)]


def test_published_order_is_kept(folder: Path):
    """Unshuffled, the rows come as they were published, in batches of any size."""
    assert list(range(_ROWS)) == _taken(_reader(folder))
    for size in (1, 7, 1024):
        tables = list(_reader(folder).batches(size))
        assert list(range(_ROWS)) == [n for table in tables for n in table["order_index"].to_pylist()]
        assert {size} >= {table.num_rows for table in tables[:-1]}


def test_shuffled_order_follows_seed_and_epoch(folder: Path):
    """Each epoch has every row once, in an order of its own, the same whenever it is read."""
    first = _reader(folder, order="shuffled", seed=3)
    orders = [_taken(first), _taken(first.next_epoch()), _taken(replace(first, seed=4))]
    assert [list(range(_ROWS))] * 3 == [sorted(order) for order in orders]
    assert 3 == len(set(map(tuple, orders)))
    assert orders[0] == _taken(replace(first))


@settings(max_examples=25, deadline=None)
@given(
    order=st.sampled_from(["published", "shuffled", "prioritised"]),
    weighted=st.booleans(),
    worlds=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    steps=st.lists(st.integers(0, 40), min_size=4, max_size=4),
    seed=st.integers(0, 5),
)
def test_killed_resumed_and_resharded_epochs_lose_nothing(  # noqa: PLR0913, PLR0917 - drawn by Hypothesis
    folder: Path,
    order: str,
    weighted: bool,  # noqa: FBT001 - drawn by Hypothesis
    worlds: list[int],
    steps: list[int],
    seed: int,
):
    """Stopped at random points and resumed on other numbers of ranks, an epoch is the uninterrupted one."""
    asked = order == "prioritised" or (weighted and order == "shuffled")
    weight = Weight("band", {"hard": 2.0, "medium": 1.0, "easy": 0.5}) if asked else None
    whole = _reader(folder, order=order, seed=seed, weight=weight)
    text = ReaderState(whole.store.digest, whole.plan, 0, 0).to_json()
    seen: list[int] = []
    for world, count in zip(worlds, steps, strict=False):
        ranks = [replace(whole, rank=rank, world=world).resumed(ReaderState.from_json(text)) for rank in range(world)]
        seen += _interleaved([_taken(rank, count) for rank in ranks])
        (text,) = {rank.state(count).to_json() for rank in ranks}
    seen += _taken(whole.resumed(ReaderState.from_json(text)))
    assert _taken(whole) == seen
    assert _ROWS == len(seen)


def test_datasets_with_a_buffer_loses_rows_where_the_reader_does_not(folder: Path, tmp_path: Path):
    """Resumed in the middle of a shuffle buffer, `datasets` does not give every row once; the reader does."""
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(folder), split="stage1", streaming=True, cache_dir=str(tmp_path))
    shuffled = loaded.shuffle(seed=3, buffer_size=16)
    begun = iter(shuffled)
    before = [next(begun)["order_index"] for _ in range(40)]
    shuffled.load_state_dict(shuffled.state_dict())
    theirs = Counter(before + [row["order_index"] for row in shuffled])
    reader = _reader(folder, order="shuffled", seed=3)
    ours = Counter(_taken(reader, 40) + _taken(reader.resumed(reader.state(40))))
    assert dict.fromkeys(range(_ROWS), 1) == dict(sorted(ours.items()))
    assert dict.fromkeys(range(_ROWS), 1) != dict(sorted(theirs.items()))


def test_workers_of_a_rank_share_its_batches_in_turn(folder: Path):
    """Batches of several workers, taken in turn, are those of one."""
    reader = _reader(folder, order="shuffled", seed=1, rank=1, world=2)
    alone = [table["order_index"].to_pylist() for table in reader.batches(5)]
    shared = [[t["order_index"].to_pylist() for t in reader.batches(5, worker, 3)] for worker in range(3)]
    assert alone == [shared[number % 3][number // 3] for number in range(len(alone))]


def test_weights_draw_in_proportion(folder: Path):
    """Hard rows come twice as often as medium ones, unnamed ones never, and an epoch keeps its length."""
    reader = replace(
        _reader(folder, order="shuffled", weight=Weight("band", {"hard": 2, "medium": 1})), columns=["band"]
    )
    drawn = Counter(row["band"] for row in reader)
    assert {"hard", "medium"} == set(drawn)
    assert _ROWS == drawn.total()
    assert abs(drawn["hard"] - 2 * drawn["medium"]) <= 3


def test_priorities_come_first_and_every_row_once(folder: Path):
    """Hard rows come early, weightless ones last, each row once; another epoch has an order of its own."""
    reader = replace(
        _reader(folder, order="prioritised", weight=Weight("band", {"hard": 1e9, "medium": 1})),
        columns=["band", "order_index"],
    )
    rows = list(reader)
    assert list(range(_ROWS)) == sorted(row["order_index"] for row in rows)
    bands = [row["band"] for row in rows]
    assert (["hard"] * 26 + ["medium"] * 26) == bands[:52]
    assert {"easy", None} == set(bands[52:])
    assert [row["order_index"] for row in rows] != [row["order_index"] for row in reader.next_epoch()]


def test_weights_may_be_raised_to_a_power(folder: Path):
    """A power of 0 draws all rows that weigh anything alike; a greater one draws the heavy ones more."""
    drawn = {}
    for power in (0.0, 1.0, 3.0):
        weight = Weight("band", {"hard": 2, "medium": 1}, power)
        bands = Counter(
            row["band"] for row in replace(_reader(folder, order="shuffled", weight=weight), columns=["band"])
        )
        drawn[power] = bands["hard"] / bands["medium"]
    assert abs(drawn[0.0] - 1) < 0.15
    assert drawn[0.0] < drawn[1.0] < drawn[3.0]


@given(st.lists(st.floats(0, 100), max_size=50), st.integers())
def test_rankings_are_permutations(weights: list[float], seed: int):
    """Every index once, those that weigh nothing last."""
    ranked = ranking(np.array(weights), seed).tolist()
    assert list(range(len(weights))) == sorted(ranked)
    weightless = [weights[place] == 0 for place in ranked]
    assert sorted(weightless) == weightless


def test_heavier_rows_come_first_in_proportion():
    """Over many seeds, a row of weight 3 comes before one of weight 1 three times in four."""
    first = sum(ranking(np.array([3.0, 1.0]), seed)[0] == 0 for seed in range(2000)) / 2000
    assert abs(first - 0.75) < 0.03


@given(st.lists(st.integers(0, 199), max_size=60))
def test_a_spool_gives_any_rows_in_any_order(places: list[int]):
    """What is taken is what was asked for, repeats included, whatever the batches."""
    spool = _spool()
    assert places == spool.take(np.array(places, dtype=np.int64))["at"].to_pylist() if places else True


@cache
def _spool() -> Spool:
    return Spool(pa.table({"at": list(range(start, start + 40)), "text": ["x"] * 40}) for start in range(0, 200, 40))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50).filter(lambda values: sum(values) > 1e-6), st.integers())
def test_copies_are_within_one_of_expected(weights: list[float], seed: int):
    """Systematic draws: as many as rows, each row's count less than one from its expectation."""
    values = np.array(weights)
    drawn = copies(values, seed)
    assert len(weights) == drawn.sum()
    assert (np.abs(drawn - values * len(weights) / values.sum()) < 1 + 1e-6).all()


@given(st.integers(0, 300), st.integers())
def test_permutations_are_permutations(size: int, seed: int):
    """Every index once."""
    assert list(range(size)) == sorted(permutation(size, seed))


def test_the_permutation_never_changes():
    """A saved state means the same rows tomorrow: the order of a key is pinned."""
    assert [3, 4, 2, 6, 0, 5, 1, 7] == permutation(8, 7, 0, "groups").tolist()


def test_another_version_or_way_of_reading_is_refused(folder: Path, tmp_path: Path):
    """A state fits the release and the plan that it was taken from, and no other."""
    reader = _reader(folder, order="shuffled", seed=1)
    state = reader.state(4)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    manifest = json.loads((other / "manifest.json").read_text())
    from warehouse.release.manifest import render, seal

    (other / "manifest.json").write_text(render(seal(manifest | {"version": "1.0.1"})))
    with pytest.raises(UsageError, match="resume with the version"):
        _reader(other, order="shuffled", seed=1).resumed(state)
    with pytest.raises(UsageError, match="was taken reading"):
        replace(reader, seed=2).resumed(state)
    with pytest.raises(InputError, match="position"):
        reader.resumed(replace(state, position=_ROWS + 1))
    with pytest.raises(InputError, match="not the state"):
        ReaderState.from_json('{"position": 1}')


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": 2, "world": 2}, "no rank 2"),
        ({"split": "stage9"}, "did you mean"),
        ({"split": None}, "names 2 phases"),
        ({"columns": ["order"]}, "did you mean 'order_index'"),
        ({"weight": Weight("band")}, "order cannot be kept"),
        ({"order": "sorted"}, "there is no order"),
        ({"order": "prioritised"}, "prioritised by what"),
        ({"weight": Weight("c"), "order": "shuffled", "columns": ["row"]}, "no column"),
        ({"weight": Weight("band", {"none": 1}), "order": "shuffled"}, "not all zero"),
    ],
)
def test_wrong_requests_are_refused(folder: Path, changes: dict, message: str):
    """A rank, phase, column or weight that cannot be is a clear error."""
    with pytest.raises(UsageError, match=message):
        list(Reader(**({"folder": folder, "split": "stage1"} | changes)))


def test_fsspec_reads_the_same(folder: Path):
    """A URL that fsspec knows gives the same rows as the local folder."""
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/shelf/demo", recursive=True)
    assert _taken(_reader(folder, order="shuffled")) == _taken(_reader("memory://shelf/demo", order="shuffled"))


def test_damage_is_named(folder: Path, tmp_path: Path):
    """An altered manifest and a folder without one are clear errors."""
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    path = damaged / "manifest.json"
    path.write_text(path.read_text().replace('"rows": 103', '"rows": 102'))
    with pytest.raises(InputError, match="was altered"):
        list(_reader(damaged))
    with pytest.raises(InputError, match="no manifest"):
        list(_reader(tmp_path))


def test_columns_come_in_the_order_asked_for(folder: Path):
    """Some columns, in an order of their own."""
    (row, *_) = Reader(folder, split="stage2.1", columns=["prompt", "row_id", "c"])
    assert ["prompt", "row_id", "c"] == list(row)


def test_published_rows_arrive_whole(folder: Path):
    """With all columns, a row is the published row."""
    expected = (
        pl.read_parquet(sorted((folder / "data/drive/stage2.1").glob("*.parquet"))).sort("order_index").to_dicts()
    )
    assert expected == list(Reader(folder, split="stage2.1"))
