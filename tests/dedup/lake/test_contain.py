"""Containment against brute force, and what is said of each edge."""

from __future__ import annotations

import json
import tarfile
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dedup.lake.contain import Containment, contain
from dedup.lake.survey import survey
from schemas.lake import POLICIES, SEMANTICS, STAGES
from schemas.recipe.lake import Lake
from schemas.registry import contracts
from tests.dedup.lake import brute
from warehouse.stages import Services, Workspace


def _found(folder: Path, services: Services, **settings) -> Containment:
    config = Lake(path=str(folder), **settings)
    return contain(survey(config, services), config, services)


def _edges(found: Containment) -> set[tuple[str, str]]:
    return set(found.edges.select("child", "parent").iter_rows())


@pytest.mark.parametrize("seed", range(200))
def test_edges_are_those_of_brute_force(seed: int, tmp_path: Path) -> None:
    """On random small lakes full of nulls, NaN, -0.0 and drifting types no edge is missed and none is false."""
    lake = brute.write(brute.random_lake(seed), tmp_path / "lake", np.random.default_rng(seed))
    policy, semantics = POLICIES[seed % 3], SEMANTICS[seed // 3 % 2]

    found = _found(
        tmp_path / "lake",
        Services(Workspace(tmp_path / "house")),
        policy=policy,
        semantics=semantics,
        keep_cells_mb=seed % 2,
        near=None,
    )

    assert brute.edges(lake, policy, semantics) == _edges(found)


def _services(tmp_path: Path) -> Services:
    return Services(Workspace(tmp_path / "house"))


def _lake(folder: Path, **tables: pl.DataFrame) -> Path:
    folder.mkdir()
    for name, frame in tables.items():
        frame.write_parquet(folder / f"{name}.parquet")
    return folder


def _wide(rows: int, seed: int = 0) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    return pl.DataFrame({"key": draw.permutation(rows), "x": draw.random(rows), "y": draw.integers(0, 1000, rows)})


@pytest.mark.parametrize("child", ["polars", "duckdb"])
@pytest.mark.parametrize("keep", [0, 64])
def test_statistics_cut_short_keep_the_edge(child: str, keep: int, tmp_path: Path) -> None:
    """The same long texts written by polars and DuckDB, which cut them at 64 and 256 bytes, contain each other."""
    frame = pl.DataFrame({"prompt": ["A" * 40 + str(row) + "b" * 400 for row in range(100)]})
    folder = _lake(tmp_path / "lake", polars=frame)
    with duckdb.connect() as connection:
        connection.register("frame", frame.to_arrow())
        connection.execute(f"COPY frame TO '{folder / 'duckdb.parquet'}' (FORMAT parquet)")

    found = _found(folder, _services(tmp_path), keep_cells_mb=keep)

    parent = {"polars": "duckdb", "duckdb": "polars"}[child]
    assert (f"{child}.parquet", f"{parent}.parquet") in _edges(found)


@pytest.mark.parametrize(
    "values",
    [
        [float("nan"), -0.0, 1.5],
        [0.0, -0.0, 0.0],
        [None, None],
        [float("nan"), float("nan")],
        [float("-inf"), float("inf"), 0.0],
    ],
)
@pytest.mark.parametrize("keep", [0, 64])
def test_statistics_that_say_little_keep_the_edge(values: list[float | None], keep: int, tmp_path: Path) -> None:
    """NaN, zeros of either sign and nulls alone, written by polars and by DuckDB, equal themselves."""
    frame = pl.DataFrame({"v": pl.Series(values, dtype=pl.Float64)})
    folder = _lake(tmp_path / "lake", a=frame, b=frame.with_columns(pl.col("v") + 0.0))
    with duckdb.connect() as connection:
        connection.register("frame", frame.to_arrow())
        connection.execute(f"COPY frame TO '{folder / 'c.parquet'}' (FORMAT parquet)")

    found = _found(folder, _services(tmp_path), keep_cells_mb=keep)

    names = [f"{name}.parquet" for name in "abc"]
    assert {(a, b) for a in names for b in names if a != b} == _edges(found)


def test_frames_follow_their_contracts(tmp_path: Path) -> None:
    """Every table of a result has the columns and types of its contract, and its key is unique."""
    whole = _wide(200)
    folder = _lake(tmp_path / "lake", whole=whole, part=whole.head(50), near=whole.with_columns(pl.col("key") + 1))
    (folder / "notes.md").write_text("x")

    found = _found(folder, _services(tmp_path), near=0.5)

    frames = {
        "lake_table": found.tables,
        "lake_rejection": found.rejections,
        "containment": found.edges,
        "near_containment": found.near,
        "column_suggestion": found.suggestions,
        "stage_ledger": found.ledger,
    }
    for name, frame in frames.items():
        of = contracts()[name]
        assert pl.Schema(of.arrow) == frame.schema
        assert frame.height == frame.select(of.key).unique().height
        assert [] == [column.name for column in of.columns if not column.nullable and frame[column.name].null_count()]


def test_edges_say_what_they_need(tmp_path: Path) -> None:
    """An edge names the strictest policy that it holds under: by type, by value, or by spelling."""
    whole = _wide(100).select("key", "y")
    folder = _lake(
        tmp_path / "lake",
        whole=whole,
        same=whole.head(20),
        narrow=whole.head(20).cast(pl.Int32),
        spelled=whole.head(20).cast(pl.String),
    )

    for policy, expected in (
        ("strict", {"same": "strict"}),
        ("lossless", {"same": "strict", "narrow": "lossless"}),
        ("text", {"same": "strict", "narrow": "lossless", "spelled": "text"}),
    ):
        edges = _found(folder, _services(tmp_path), policy=policy).edges.filter(parent="whole.parquet")
        assert expected == {
            child.removesuffix(".parquet"): need for child, need in edges.select("child", "needs").rows()
        }


@pytest.mark.parametrize(("values", "needs"), [(["0.50", "1.00"], "lossless"), (["0.10", "1.00"], "text")])
def test_decimals_and_floats_that_are_spelled_alike(values: list[str], needs: str, tmp_path: Path) -> None:
    """0.5 is both a decimal and a float, 0.1 only spelled like one."""
    decimal = pl.Series("v", values).cast(pl.Decimal(10, 2)).to_frame()
    folder = _lake(tmp_path / "lake", decimal=decimal, real=decimal.cast(pl.Float64))

    edges = _found(folder, _services(tmp_path), policy="text").edges

    assert {needs} == set(edges["needs"])
    assert 2 == edges.height


def test_multiplicities_are_told_apart(tmp_path: Path) -> None:
    """A child that repeats a row is contained as a set, and as a multiset only where the parent repeats it too."""
    whole = _wide(50)
    folder = _lake(tmp_path / "lake", once=whole, twice=pl.concat([whole, whole.head(1)]))

    as_sets = _found(folder, _services(tmp_path)).edges
    as_multisets = _found(folder, _services(tmp_path), semantics="multiset").edges

    assert [("once.parquet", True, False), ("twice.parquet", False, False)] == as_sets.select(
        "child", "also_multiset", "exact_duplicate"
    ).rows()
    assert ["once.parquet"] == as_multisets["child"].to_list()


def test_classes_and_the_reduction(tmp_path: Path) -> None:
    """Equal tables are one class, and edges that others imply are not in the reduction."""
    whole = _wide(90)
    folder = _lake(tmp_path / "lake", a=whole, b=whole[::-1], c=whole.head(60), d=whole.head(30).select("key", "x"))

    edges = _found(folder, _services(tmp_path)).edges

    told = {
        (child[0], parent[0]): values
        for child, parent, *values in edges.select("child", "parent", "relation", "reduced", "exact_duplicate").rows()
    }
    assert ["equal", False, True] == told["a", "b"]
    assert ["contained", True, False] == told["c", "a"]
    assert ["contained", True, False] == told["c", "b"]
    assert ["contained", False, False] == told["d", "a"]
    assert ["contained", True, False] == told["d", "c"]
    assert {"a.parquet"} == set(edges.filter(pl.col("parent").is_in(["a.parquet", "b.parquet"]))["parent_class"])


def test_containment_by_chance_is_called_accidental(tmp_path: Path) -> None:
    """A single boolean column, a single row and an empty table are in others by chance; a real excerpt is not."""
    whole = _wide(300).with_columns(flag=pl.col("y") > 500)
    folder = _lake(
        tmp_path / "lake",
        whole=whole,
        flags=whole.select("flag"),
        row=whole.head(1),
        empty=whole.clear(),
        excerpt=whole.head(100),
    )

    edges = _found(folder, _services(tmp_path)).edges.filter(parent="whole.parquet")

    assert {"flags": True, "row": True, "empty": True, "excerpt": False} == {
        child.removesuffix(".parquet"): accidental for child, accidental in edges.select("child", "accidental").rows()
    }


def test_near_containment_is_measured_and_shown(tmp_path: Path) -> None:
    """A child of which two rows in a hundred are not in its parent is near, with those rows to look at."""
    whole = _wide(100)
    child = whole.with_columns(x=pl.when(pl.col("key") < 2).then(-1.0).otherwise("x"))
    folder = _lake(tmp_path / "lake", whole=whole, child=child, far=_wide(100, seed=9))

    near = _found(folder, _services(tmp_path)).near.filter(child="child.parquet")

    assert [("whole.parquet", 0.98, 2)] == near.select("parent", "fraction", "missing_rows").rows()
    assert {(0, -1.0), (1, -1.0)} == {(row["key"], row["x"]) for row in json.loads(near["sample"][0])}


@pytest.mark.parametrize("most", [1, 2])
def test_the_nearest_parents_are_told(most: int, tmp_path: Path) -> None:
    """However many tables hold a child, or most of it, those that hold most of it without all are told."""
    child = _wide(400)
    lost = {f"p{number:02d}": 40 - number for number in range(38)}
    parents = {
        name: child.with_columns(y=pl.when(pl.col("key") < few).then(-1).otherwise("y")) for name, few in lost.items()
    }
    folder = _lake(tmp_path / "lake", child=child, **parents, **{f"whole{number}": child for number in range(5)})

    near = _found(folder, _services(tmp_path), near=0.9, near_parents=most).near.filter(child="child.parquet")

    expected = [("p36.parquet", 4), ("p37.parquet", 3)][-most:]
    assert expected == near.select("parent", "missing_rows").rows()


_INSTANT = datetime(2020, 2, 24, 18, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ((b"v\n2020-02-24\n", b'{"v": "2020-02-24"}', [date(2020, 2, 24)]), {"text": 6, "lossless": 2, "strict": 2}),
        ((b"v\n1\n", b'{"v": 1.0}', [1]), {"text": 6, "lossless": 2, "strict": 0}),
        ((b"v\n1.0\n", b'{"v": 1.5}', [1.0]), {"text": 0, "lossless": 0, "strict": 0}),
        ((b"v\n01\n", b'{"v": "01"}', [1]), {"text": 2, "lossless": 2, "strict": 2}),
        (
            (b"v\n9007199254740993\n", b'{"v": 9007199254740992.0}', [2**53 + 1]),
            {"text": 2, "lossless": 0, "strict": 0},
        ),
        ((b"v\n-0.0\n", b'{"v": -0.0}', [0]), {"text": 2, "lossless": 2, "strict": 0}),
        ((b"v\ntrue\n", b'{"v": true}', [True]), {"text": 6, "lossless": 2, "strict": 2}),
        ((b"v\n2020-02-24T18:00:00.5Z\n", b'{"v": "2020-02-24T18:00:00.5Z"}', [_INSTANT]), {"text": 6, "lossless": 2}),
        ((b'v,w\n"",x\n,x\n', b'{"v": "", "w": "x"}\n{"w": "x"}', ["", None]), {"text": 4, "lossless": 4, "strict": 4}),
        (('v;w\n"é";x\n'.encode("utf-16"), '{"v": "é"}'.encode(), ["é"]), {"text": 4, "lossless": 4, "strict": 4}),
    ],
)
@pytest.mark.parametrize("keep", [0, 64])
def test_one_value_in_three_formats(
    files: tuple[bytes, bytes, list[object]], expected: dict[str, int], keep: int, tmp_path: Path
) -> None:
    """The same value in CSV, JSON lines and Parquet gives as many edges as the policy calls its spellings equal."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "a.csv").write_bytes(files[0])
    (tmp_path / "lake" / "b.jsonl").write_bytes(files[1])
    pl.DataFrame({"v": files[2]}).write_parquet(tmp_path / "lake" / "c.parquet")

    for policy, edges in expected.items():
        found = _found(tmp_path / "lake", _services(tmp_path), policy=policy, keep_cells_mb=keep, near=None)
        assert (policy, edges) == (policy, found.edges.height)
        assert 3 == found.tables.height


_MAPS = [[("a", 1), ("b", None)], None, [], [("b", 2)]]


@pytest.mark.parametrize(
    ("values", "types", "needs"),
    [
        (_MAPS, (pa.map_(pa.string(), pa.int64()), pa.map_(pa.string(), pa.int8())), {"lossless"}),
        (_MAPS, (pa.map_(pa.string(), pa.int64()), pa.map_(pa.string(), pa.float64())), {"lossless"}),
        (["{}", None, "[1]"], (pa.json_(), pa.string()), {"strict"}),
        ([1, 0, None], (pa.bool8(), pa.int64()), {"lossless"}),
        ([1, -90, None], (pa.duration("s"), pa.duration("ns")), {"lossless"}),
        ([0, 5000, None], (pa.timestamp("us", "UTC"), pa.timestamp("us", "+05:30")), {"lossless"}),
        ([0, 5000, None], (pa.timestamp("us"), pa.timestamp("ns")), {"strict"}),
        ([0, 1.5, None], (pa.float16(), pa.float64()), {"lossless"}),
    ],
    ids=["map", "map of floats", "json", "bool8", "duration", "offset", "timestamp", "half"],
)
@pytest.mark.parametrize("keep", [0, 64])
def test_types_that_few_write(
    values: list[object], types: tuple[pa.DataType, pa.DataType], needs: set[str], keep: int, tmp_path: Path
) -> None:
    """Maps, extensions, durations and half floats are compared by value, whatever the width of what stores them."""
    (tmp_path / "lake").mkdir()
    scale = {pa.duration("ns"): 10**9, pa.timestamp("ns"): 10**3}.get(types[1], 1)
    for name, of, times in (("a", types[0], 1), ("b", types[1], scale)):
        given = values if times == 1 else [None if value is None else value * times for value in values]
        pq.write_table(pa.table({"v": pa.array(given, of)}), tmp_path / "lake" / f"{name}.parquet", version="1.0")

    edges = _found(tmp_path / "lake", _services(tmp_path), keep_cells_mb=keep).edges

    assert [("a.parquet", "b.parquet"), ("b.parquet", "a.parquet")] == edges.select("child", "parent").rows()
    assert needs == set(edges["needs"])


def test_renamed_columns_are_suggested(tmp_path: Path) -> None:
    """A column whose values are those of another name is suggested, and no edge is made of it."""
    whole = _wide(100)
    folder = _lake(tmp_path / "lake", whole=whole, renamed=whole.rename({"x": "z"}))

    found = _found(folder, _services(tmp_path))

    assert set() == _edges(found)
    assert {("renamed.parquet", "z", "x"), ("whole.parquet", "x", "z")} == set(
        found.suggestions.select("child", "child_column", "parent_column").rows()
    )


def test_ledgers_add_up(tmp_path: Path) -> None:
    """Each stage is given what the one before let pass, and accounts for the rest by reason."""
    lake = brute.write(brute.random_lake(4), tmp_path / "lake", np.random.default_rng(4))

    ledger = _found(tmp_path / "lake", _services(tmp_path)).ledger

    assert list(STAGES) == ledger["stage"].to_list()
    assert len(lake) * (len(lake) - 1) == ledger["edges_in"][0]
    assert ledger["edges_out"].to_list()[:-1] == ledger["edges_in"].to_list()[1:]
    for before, after, pruned in ledger.select("edges_in", "edges_out", "pruned").rows():
        assert before - after == sum(json.loads(pruned).values())


def test_the_published_method_keeps_every_edge(tmp_path: Path) -> None:
    """The paper's stages lose no edge, state how sure their sample is, and call nothing verified."""
    lake = brute.write(brute.random_lake(10), tmp_path / "lake", np.random.default_rng(10))
    truth = brute.edges(lake, "lossless", "set")

    for sample in ({"rows": 1}, {"rows": 5, "columns": 1}, {"rows": 1000}):
        found = _found(tmp_path / "lake", _services(tmp_path), method="paper", sample=sample)
        assert truth <= _edges(found)
        assert not found.edges["verified"].any()
    assert truth == _edges(found)
    assert 0.9**1000 == json.loads(found.ledger["detail"][2])["survival_by_share_missing"]["0.1"]


def test_results_do_not_depend_on_how_files_are_read(tmp_path: Path) -> None:
    """Cells kept or read again, much memory or little: the same edges, evidence and near-containment."""
    whole = _wide(5000)
    folder = _lake(tmp_path / "lake", whole=whole, part=whole.head(2000)[::-1], near=whole.head(999).with_columns(y=7))

    kept = _found(folder, Services(Workspace(tmp_path / "one")))
    read = _found(folder, Services(Workspace(tmp_path / "two")), keep_cells_mb=0, memory_mb=64)

    assert kept.edges.equals(read.edges)
    assert kept.tables.drop("columns").equals(read.tables.drop("columns"))


@pytest.mark.parametrize("name", ["pcm_covid19", "fivethirtyeight"])
@pytest.mark.slow
def test_real_lakes(name: str, real_data: Path, tmp_path: Path) -> None:
    """Real lakes have the edges that pairwise comparison of all their tables finds."""
    with tarfile.open(real_data / "lake" / f"{name}.tar.gz") as archive:
        archive.extractall(tmp_path / "lake", filter="data")

    found = _found(tmp_path / "lake", _services(tmp_path), policy="text", near=None, suggest_columns=False)

    assert {"pcm_covid19": 1788, "fivethirtyeight": 4}[name] == found.edges.height
    assert {"pcm_covid19": 5351, "fivethirtyeight": 489}[name] == found.tables.height + found.rejections.height
