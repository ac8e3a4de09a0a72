"""The SQL script: equal to the definitions, computed row by row, and to the table attacker in memory."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import replace
from fractions import Fraction
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from scipy.stats import wasserstein_distance

from privacy.minimize.audit.breach import Breach
from privacy.minimize.audit.counting import count, relation_of, script
from privacy.minimize.evaluate.encoding import is_continuous, target
from tests.privacy.minimize.breaches import breaches

_CONNECTION = duckdb.connect(config={"threads": 1})
Figures = dict[tuple[str | None, str], float]


def counted(breach: Breach, population: pl.DataFrame | None = None, **layout: Any) -> Figures:
    """What the script measures of a breach."""
    relation = relation_of(breach.raw, breach.released, pl.Series(breach.test), breach.clients)
    client = None if breach.clients is None else "client"
    _CONNECTION.register("audited", relation)
    if population is not None:
        _CONNECTION.register("everybody", population.select(pl.all().name.prefix("out.")))
    layout = replace(breach.layout, client=client, **layout)
    found = count(_CONNECTION, "audited", layout, None if population is None else "everybody")
    return {(row[0], row[1]): row[2] / row[3] if row[3] else math.nan for row in found.iter_rows()}


def members(breach: Breach) -> dict[tuple[Any, ...], list[int]]:
    """Rows of each class."""
    found = defaultdict(list)
    for row, key in enumerate(breach.released.rows() or [()] * len(breach.raw)):
        found[key].append(row)
    return found


def people(breach: Breach, rows: list[int]) -> int:
    """How many people some rows are of."""
    return len(rows) if breach.clients is None else len({breach.clients[row] for row in rows})


@given(breaches())
@settings(max_examples=25)
def test_groups_have_the_sizes_of_their_definition(breach: Breach) -> None:
    """k, singletons, prosecutor and marketer risk follow from class sizes counted one row at a time."""
    sizes = [people(breach, rows) for rows in members(breach).values()]
    found = counted(breach, threshold=0.2)
    smallest = min(sizes)
    assert smallest == found[None, "smallest_class"]
    assert sizes.count(smallest) == found[None, "smallest_classes"]
    assert sizes.count(1) == found[None, "singletons"]
    assert len(sizes) == found[None, "classes"]
    assert Fraction(1, smallest) == pytest.approx(found[None, "prosecutor_highest"])
    assert len(sizes) / sum(sizes) == pytest.approx(found[None, "prosecutor_average"])
    assert sum(size for size in sizes if size < 5) / sum(sizes) == pytest.approx(found[None, "prosecutor_at_risk"])
    for name in ("highest", "average", "at_risk"):
        assert found[None, f"prosecutor_{name}"] == pytest.approx(found[None, f"journalist_{name}"])
    assert len(sizes) / sum(sizes) == pytest.approx(found[None, "marketer"])


@given(breaches())
@settings(max_examples=25)
def test_diversity_and_closeness_follow_their_definitions(breach: Breach) -> None:
    """Both l (distinct, entropy, recursive) and t equal what each class gives, counted one person at a time."""
    found = counted(breach)
    for name in breach.personal:
        codes, ordered = (
            target(breach.raw[name]).codes,
            bool(breach.raw[name].dtype.is_numeric() or breach.raw[name].dtype.is_temporal()),
        )
        shares = [_shares(breach, rows, codes) for rows in members(breach).values()]
        overall = Counter()
        for part in shares:
            overall.update(part)
        assert min(len(part) for part in shares) == found[name, "distinct_l"]
        assert min(_perplexity(part) for part in shares) == pytest.approx(found[name, "entropy_l"])
        rest = [(max(part.values()), part.total() - max(part.values())) for part in shares]
        worst = max(most / other if other else math.inf for most, other in rest)
        assert worst == pytest.approx(found[name, "recursive_c"])
        certain = sum(part.total() for part in shares if len(part) == 1) / overall.total()
        assert certain == pytest.approx(found[name, "told_for_certain"])
        places = _places(breach.raw[name], overall) if ordered else None
        assert max(_distance(part, overall, places) for part in shares) == pytest.approx(found[name, "t"], abs=1e-9)


def _shares(breach: Breach, rows: list[int], codes: Any) -> Counter:
    found = defaultdict(list)
    for row in rows:
        found[int(codes[row])].append(row)
    return Counter({code: people(breach, held) for code, held in found.items()})


def _perplexity(part: Counter) -> float:
    return math.exp(-sum(n / part.total() * math.log(n / part.total()) for n in part.values()))


def _places(column: pl.Series, overall: Counter) -> dict[int, int]:
    """Place of each code among all that there may be: 20 steps of numbers, or the values themselves."""
    codes = [*range(20), *([21] if 21 in overall else [])] if is_continuous(column) else sorted(overall)
    return {code: place for place, code in enumerate(codes)}


def _distance(part: Counter, overall: Counter, places: dict[int, int] | None) -> float:
    if places is None:
        return sum(abs(part[code] / part.total() - overall[code] / overall.total()) for code in overall) / 2
    values = [places[code] for code in overall]
    moved = wasserstein_distance(values, values, [part[code] for code in overall], [overall[code] for code in overall])
    return moved / max(len(places) - 1, 1)


@given(breaches())
@settings(max_examples=25)
def test_the_script_and_the_table_attacker_agree(breach: Breach) -> None:
    """Three attacks and the majority hit the same number of records in DuckDB and in numpy, exactly."""
    found = counted(breach)
    outcomes = {
        "reconstruction": breach.attack(breach.personal, trained=False, seed=0),
        "non_personal_knowledge": breach.attack(breach.personal, breach.impersonal, trained=False, seed=0),
        "leave_one_out": [
            breach.attack([name], [other for other in breach.raw.columns if other != name], trained=False, seed=0)[0]
            for name in breach.personal
        ],
    }
    for attack, of in outcomes.items():
        assert {one.attribute: one.table.accuracy for one in of} == {
            one.attribute: found[one.attribute, attack] for one in of
        }
    for one in outcomes["reconstruction"]:
        assert one.majority.accuracy == found[one.attribute, "majority"]


@given(breaches(most=30))
@settings(max_examples=15)
def test_the_table_attacker_does_what_it_is_defined_to_do(breach: Breach) -> None:
    """Cell of 5 known records, else own bucket, else everybody; the commonest value, the smallest among equals."""
    found = breach.attack(breach.personal, trained=False, seed=0)
    known = [row for row in range(len(breach.raw)) if not breach.test[row]]
    cells = breach.released.rows() or [()] * len(breach.raw)
    for outcome in found:
        goal = target(breach.raw[outcome.attribute])
        own = breach.released.select(breach.own[outcome.attribute]).rows() or [()] * len(breach.raw)
        hits = []
        for row in (row for row in range(len(breach.raw)) if breach.test[row]):
            alike = [other for other in known if cells[other] == cells[row]]
            near = [other for other in known if own[other] == own[row]]
            informants = alike if len(alike) >= 5 else near or known
            seen = [int(goal.codes[other]) for other in informants]
            windows = range(max(goal.count, 1))
            guess = max(windows, key=lambda code: (sum(code <= one < code + goal.window for one in seen), -code))
            hits.append(guess <= goal.codes[row] < guess + goal.window)
        assert hits == outcome.table.hit.tolist()


def test_the_population_lowers_journalist_and_marketer_risk() -> None:
    """ARX's formulas over class sizes 2 and 1 that stand for 4 and 10 people of the population."""
    raw = pl.DataFrame({"job": ["clerk", "clerk", "nurse"]})
    released = pl.DataFrame({"job": ["g0", "g0", "g1"]})
    breach = Breach(raw, released, ("job",), pl.Series([True, False, False]).to_numpy())
    found = counted(breach, pl.DataFrame({"job": ["g0"] * 4 + ["g1"] * 10 + ["g2"]}))
    assert found[None, "prosecutor_highest"] == 1
    assert found[None, "journalist_highest"] == 1 / 4
    assert found[None, "marketer"] == pytest.approx((2 / 4 + 1 / 10) / 3)
    assert found[None, "journalist_average"] == pytest.approx(max(2 / 14, (2 / 4 + 1 / 10) / 3))
    assert found[None, "journalist_at_risk"] == pytest.approx(2 / 3)


def test_clients_with_many_rows_count_once() -> None:
    """A class of three rows of one client is a class of one person."""
    raw = pl.DataFrame({"job": ["clerk"] * 3 + ["nurse"] * 2})
    breach = Breach(
        raw,
        raw,
        ("job",),
        pl.Series([True, False, False, True, False]).to_numpy(),
        clients=pl.Series("client", ["a", "a", "a", "b", "c"]),
    )
    found = counted(breach)
    assert found[None, "smallest_class"] == 1
    assert found[None, "people"] == 3


def test_the_script_stays_within_its_memory(tmp_path: Any) -> None:
    """300,000 rows that take more than they are given are counted out of core, with the same figures."""
    rows = 300_000
    number = pl.int_range(rows, eager=True)
    raw = pl.DataFrame({"a": (number * 7919) % 1009, "b": (number * 104_729) % 211, "s": (number % 5).cast(pl.String)})
    released = raw.select(pl.col("a", "b").cast(pl.String))
    breach = Breach(raw, released, ("s",), ((number * 31) % 3 == 0).to_numpy())
    path = tmp_path / "audited.parquet"
    relation_of(raw, released, pl.Series(breach.test)).write_parquet(path)
    found = []
    for memory in ("60MB", "4GB"):
        with duckdb.connect(
            config={"memory_limit": memory, "temp_directory": str(tmp_path / memory), "threads": 2}
        ) as connection:
            found.append(count(connection, f"read_parquet('{path}')", breach.layout))
    assert found[1].rows() == found[0].rows()


def test_the_script_is_plain_sql_with_quoted_names() -> None:
    """Names with quotes stay names."""
    raw = pl.DataFrame({'a"; DROP TABLE x; --': ["x", "y"]})
    with duckdb.connect() as connection:
        connection.register("audited", relation_of(raw, raw, pl.Series([True, False])))
        text = script(
            connection, "audited", Breach(raw, raw, tuple(raw.columns), pl.Series([True, False]).to_numpy()).layout
        )
    assert '"raw.a""; DROP TABLE x; --"' in text


def test_many_columns_and_numbers_beyond_64_bits_are_counted() -> None:
    """Keys over a thousand columns, raw and stored, are within DuckDB's depth; 128 bits tell people apart."""
    wide = {f"c{number}": ["x", "x", "y"] for number in range(505)}
    raw = pl.DataFrame({"big": pl.Series([10**37, 10**37 + 1, None], dtype=pl.Int128), **wide})
    breach = Breach(raw, raw.select(pl.all().cast(pl.String)), ("big",), pl.Series([True, False, False]).to_numpy())
    found = counted(breach)

    assert (3, 1) == (found[None, "classes"], found["big", "distinct_l"])
