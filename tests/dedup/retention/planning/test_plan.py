"""Plans: what would go, what it saves, and why the rest stays."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest

from dedup.retention.planning.costs import keep_cost, rebuild_cost, rebuild_seconds, use_of
from dedup.retention.planning.options import Reason
from dedup.retention.planning.plan import Plan, Planner, retention_frame
from dedup.retention.recipes.sources import Sources
from dedup.retention.recipes.store import Recipes
from schemas.recipe.retention import Prices, Retention, Speed, Use
from schemas.registry import contract
from tests.dedup.retention.lakes import content, edges, ordinary, people, tables_of
from warehouse.gate import audit
from warehouse.progress import Silent

PARTS = (("part.csv", "whole.csv"), ("half.csv", "whole.csv"))
TWINS = (("copy.csv", "whole.csv"), ("whole.csv", "copy.csv"))
FREE = Retention(use=Use(accesses=0))


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with a table, a copy and parts."""
    return ordinary(tmp_path / "lake")


def _plan(
    lake: Path, pairs: Iterable[tuple[str, str]], config: Retention = FREE, needed: Iterable[str] = (), **told: object
) -> Plan:
    scratch = lake.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    planner = Planner(
        tables_of(lake),
        edges(pairs, **told),
        config,
        recipes=Recipes(lake.parent / "recipes.sqlite"),
        sources=Sources(lake, scratch),
        scratch=scratch,
        progress=Silent(),
    )
    return planner.plan(set(needed))


def _gone(plan: Plan) -> dict[str, str]:
    return {one.table: one.recipe.parent for one in plan.deletions}


def test_parts_go_and_the_whole_stays(lake: Path) -> None:
    """What is contained in a kept table goes, each with its recipe and what that saves; the lake is not touched."""
    before = content(lake)
    plan = _plan(lake, [*PARTS, *TWINS])
    assert {"half.csv", "part.csv"} < _gone(plan).keys()
    assert 1 == len(set(_gone(plan).values()))
    assert plan.freed == sum(one.bytes - one.recipe_bytes for one in plan.deletions) > 0
    assert plan.cost == pytest.approx(plan.bound)
    assert plan.cost < plan.before
    assert before == content(lake)


def test_of_equal_tables_one_stands_for_all(lake: Path) -> None:
    """Many copies of a table need one edge each, not one per pair, and all but one go."""
    names = ["whole.csv", "copy.csv", *(f"c{number}.csv" for number in range(6))]
    for name in names[2:]:
        (lake / name).write_bytes((lake / "whole.csv").read_bytes())
    plan = _plan(lake, [(a, b) for a in names for b in names if a != b])
    assert 7 == len(plan.deletions)
    assert 1 == len(set(_gone(plan).values()))


REFUSALS = {
    Reason.ACCIDENTAL: (FREE, {"accidental": True}),
    Reason.UNVERIFIED: (FREE, {"verified": False}),
    Reason.KEPT_BY_NAME: (FREE.model_copy(update={"keep": ("pa*",)}), {}),
    Reason.TOO_SLOW: (FREE.model_copy(update={"speed": Speed(fixed_s=61)}), {}),
    Reason.DEARER: (Retention(use=Use(accesses=1e9)), {}),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_each_reason_keeps_a_table(lake: Path, reason: Reason) -> None:
    """Weak evidence, a sample's word, the person's wish, slowness and cost each keep a table, and are told."""
    config, told = REFUSALS[reason]
    plan = _plan(lake, PARTS[:1], config, **told)
    assert ({}, {"part.csv": reason}) == (_gone(plan), plan.refused)
    assert plan.cost == plan.before


def test_what_deleted_tables_need_stays(lake: Path) -> None:
    """A parent of deleted tables is not deleted itself, whatever contains it."""
    plan = _plan(lake, TWINS, needed={"whole.csv"})
    assert {"copy.csv": "whole.csv"} == _gone(plan)
    assert {"whole.csv": Reason.NEEDED} == plan.refused


def test_small_and_linked_tables_stay(lake: Path) -> None:
    """Where deleting frees nothing there is no plan to delete."""
    people()[:2].write_csv(lake / "tiny.csv")
    people()[:9].write_csv(lake / "short.csv")
    os.link(lake / "part.csv", lake.parent / "elsewhere.csv")
    plan = _plan(lake, [("tiny.csv", "whole.csv"), ("part.csv", "whole.csv"), ("short.csv", "whole.csv")])
    assert {"tiny.csv": Reason.TOO_SMALL, "part.csv": Reason.OBSTACLE, "short.csv": Reason.NO_SAVING} == plan.refused


def test_a_recipe_that_saves_nothing_gives_way_to_another_parent(lake: Path) -> None:
    """The cheapest parent has no worthwhile recipe, so the next one is taken."""
    draw = people().with_columns(pl.col("name").fill_null("x"))
    draw[50:350].write_parquet(lake / "odd.parquet", compression="brotli")
    draw.write_csv(lake / "text.csv")
    draw.write_parquet(lake / "typed.parquet")
    sizes = {path.name: path.stat().st_size for path in lake.iterdir() if path.is_file()}
    plan = _plan(lake, [("odd.parquet", "half.csv"), ("odd.parquet", "typed.parquet")])
    assert sizes["half.csv"] > 0
    assert {"odd.parquet": "typed.parquet"} == _gone(plan)


def test_recipes_are_made_once(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second plan finds the recipes of the first, refused ones too."""
    people()[:9].write_csv(lake / "short.csv")
    pairs = [*PARTS, ("short.csv", "whole.csv")]
    first = _plan(lake, pairs)
    monkeypatch.setattr("dedup.retention.planning.plan.derive", None)
    again = _plan(lake, pairs)
    assert (first.deletions, first.refused) == (again.deletions, again.refused)


def test_the_plan_is_published_as_a_contract_says(lake: Path, tmp_path: Path) -> None:
    """Every contained table has one row, deleted or kept, and the audit of its contract passes."""
    plan = _plan(lake, [*PARTS, *TWINS])
    frame = retention_frame(plan, tables_of(lake), FREE)
    assert sorted({child for child, _ in [*PARTS, *TWINS]}) == frame["table"].to_list()
    frame.write_parquet(tmp_path / "retention.parquet")
    assert audit([tmp_path / "retention.parquet"], contract("retention")).success


def test_costs_follow_the_formulas() -> None:
    """Storage and maintenance of what is kept; reading, writing and recipe of what is rebuilt; the time it takes."""
    config = Retention(
        prices=Prices(storage=1, scan=2, read=3, write=4), speed=Speed(read_mb_s=100, write_mb_s=50, fixed_s=1)
    )
    use = Use(accesses=5, scans=6)
    assert 2 * (1 + 6 * 2) == keep_cost(2 * 10**9, use, config)
    assert 5 * (10 * 3 + 2 * 4) + 0.5 == rebuild_cost(10 * 10**9, 2 * 10**9, 5 * 10**8, use, config)
    assert 1 + 100 + 40 == rebuild_seconds(10 * 10**9, 2 * 10**9, config)


def test_the_first_pattern_that_matches_tells_the_use() -> None:
    """Uses by name come before the default, in the order they are written."""
    config = Retention(tables={"a/*": Use(accesses=2), "*": Use(accesses=3)}, use=Use(accesses=4))
    assert [2, 3] == [use_of(name, config).accesses for name in ("a/x.csv", "b.csv")]
    assert 4 == use_of("b.csv", Retention(use=Use(accesses=4))).accesses
