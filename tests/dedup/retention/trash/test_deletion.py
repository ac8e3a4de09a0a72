"""Deleting tables and bringing them back."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dedup.retention.recipes.recipe import Recipe
from dedup.retention.recipes.store import Recipes
from dedup.retention.trash.attic import Attic
from dedup.retention.trash.deletion import Keeper
from schemas.errors import InputError, UsageError, WarehouseError
from tests.dedup.retention.lakes import content, ordinary, recipe_of

LATER = datetime.now(UTC) + timedelta(days=8)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with a parent, two parts of it and a table of two files."""
    return ordinary(tmp_path / "lake")


@pytest.fixture
def part(lake: Path) -> tuple[Recipe, Recipes]:
    """The recipe of the first part."""
    return recipe_of(lake, "part.csv", "whole.csv")


def test_a_deleted_table_is_in_the_trash_and_comes_back(lake: Path, part: tuple) -> None:
    """Deletion moves the file away, undoing it moves it back with its times; other tables are not touched."""
    before = content(lake)
    stamp = (lake / "part.csv").stat().st_mtime_ns
    with Keeper.of(lake) as keeper:
        done = keeper.delete(*part, days=7)
        assert ("deleted", len(before["part.csv"])) == (done.outcome, done.bytes)
        assert before.keys() - {"part.csv"} == content(lake).keys()
        assert ["part.csv"] == list(keeper.deleted)
    with Keeper.of(lake) as keeper:
        assert "restored" == keeper.restore("part.csv").outcome
    assert before == content(lake)
    assert stamp == (lake / "part.csv").stat().st_mtime_ns
    assert {} == Attic(lake).deleted()


def test_a_purged_table_is_rebuilt_bit_for_bit(lake: Path, part: tuple) -> None:
    """After the purge only the recipe is left, which brings back bytes, times and permissions."""
    (lake / "part.csv").chmod(0o640)
    before, stamp = content(lake), (lake / "part.csv").stat()
    with Keeper.of(lake) as keeper:
        keeper.delete(*part, days=7)
        assert "purged" == keeper.purge("part.csv", now=LATER).outcome
        assert [] == [path for path in (lake / ".sluice").rglob("*") if path.parent.name == "trash"]
    with Keeper.of(lake) as keeper:
        with pytest.raises(UsageError, match="was purged at"):
            keeper.restore("part.csv")
        assert "rebuilt" == keeper.rebuild("part.csv").outcome
    now = (lake / "part.csv").stat()
    assert before == content(lake)
    assert (stamp.st_mtime_ns, stamp.st_mode) == (now.st_mtime_ns, now.st_mode)


def test_a_table_of_several_files_goes_and_comes_back_whole(lake: Path) -> None:
    """Every file of a partitioned table is in its recipe."""
    before = content(lake)
    recipe = recipe_of(lake, "parts", "whole.csv", "text")
    with Keeper.of(lake) as keeper:
        assert "deleted" == keeper.delete(*recipe, days=0).outcome
        assert [] == [name for name in content(lake) if name.startswith("parts")]
        keeper.purge("parts")
        keeper.rebuild("parts")
    assert before == content(lake)


def test_purging_waits_for_the_end_of_the_window(lake: Path, part: tuple) -> None:
    """Before its time is over a table stays in the trash."""
    with Keeper.of(lake) as keeper:
        keeper.delete(*part, days=7)
        done = keeper.purge("part.csv")
        assert ("refused", True) == (done.outcome, "may be brought back until" in done.detail)
        assert "restored" == keeper.restore("part.csv").outcome


def test_nothing_is_purged_that_would_not_come_back(lake: Path, part: tuple) -> None:
    """A parent changed in the meantime keeps the table in the trash, from where it can still be brought back."""
    with Keeper.of(lake) as keeper:
        keeper.delete(*part, days=0)
    with (lake / "whole.csv").open("a") as file:
        file.write("99999,new,1.0,2020-01-01,true\n")
    with Keeper.of(lake) as keeper:
        done = keeper.purge("part.csv")
        assert ("refused", True) == (done.outcome, "'whole.csv' was changed" in done.detail)
        assert "restored" == keeper.restore("part.csv").outcome


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_rebuild_says_what_became_of_the_parent(lake: Path, part: tuple, harm: str) -> None:
    """Without the pinned parent there is no rebuild: the error names both tables and what to bring back."""
    with Keeper.of(lake) as keeper:
        keeper.delete(*part, days=0)
        keeper.purge("part.csv")
    (lake / "whole.csv").write_text("other\n1\n") if harm == "changed" else (lake / "whole.csv").unlink()
    with (
        Keeper.of(lake) as keeper,
        pytest.raises(InputError, match=f"'part.csv' is rebuilt from 'whole.csv', of which 'whole.csv' .*{harm}"),
    ):
        keeper.rebuild("part.csv")


def test_a_parent_that_others_need_is_not_deleted(lake: Path, part: tuple) -> None:
    """A table stays while deleted ones are rebuilt from it, and a table is not rebuilt from a deleted one."""
    copy = recipe_of(lake, "whole.csv", "copy.csv")
    with Keeper.of(lake) as keeper:
        keeper.delete(*part, days=7)
        done = keeper.delete(*copy, days=7)
        assert ("refused", True) == (done.outcome, "rebuilt from it, such as 'part.csv'" in done.detail)
        keeper.restore("part.csv")
        assert "deleted" == keeper.delete(*copy, days=7).outcome
        done = keeper.delete(*part, days=7)
        assert ("refused", "its parent 'whole.csv' is deleted") == (done.outcome, done.detail)


def test_a_table_written_to_since_is_left_alone(lake: Path, part: tuple) -> None:
    """A file that is not what was scanned stays, and leaves nothing behind."""
    with (lake / "part.csv").open("a") as file:
        file.write("1,x,1.0,2020-01-01,true\n")
    before = content(lake)
    with Keeper.of(lake) as keeper:
        done = keeper.delete(*part, days=7)
        assert ("refused", "'part.csv' was changed since the lake was scanned") == (done.outcome, done.detail)
    assert before == content(lake)
    assert {} == Attic(lake).recipes.numbered()


def test_a_damaged_recipe_deletes_nothing(lake: Path, part: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not come out bit for bit is not deleted."""
    recipe, recipes = part
    monkeypatch.setattr(Recipes, "parts", lambda _recipes, _recipe, place: iter([b"\0" * 40] if place < 0 else []))
    before = content(lake)
    with Keeper.of(lake) as keeper:
        assert "refused" == keeper.delete(recipe, recipes, days=7).outcome
    assert before == content(lake)


@pytest.mark.parametrize("action", ["restore", "rebuild"])
def test_nothing_is_written_over(lake: Path, part: tuple, action: str) -> None:
    """A file that somebody put at a deleted table's place stays, and the error says so."""
    with Keeper.of(lake) as keeper:
        keeper.delete(*part, days=7)
        (lake / "part.csv").write_text("mine\n")
        with pytest.raises(InputError, match="is there already"):
            getattr(keeper, action)("part.csv")
    assert "mine\n" == (lake / "part.csv").read_text()


def test_a_spoilt_trash_is_not_brought_back(lake: Path, part: tuple) -> None:
    """A file in the trash that is not what was put there is named; the recipe makes the right one."""
    before = content(lake)
    with Keeper.of(lake) as keeper:
        keeper.delete(*part, days=7)
        (trash,) = (lake / ".sluice" / "trash").glob("*/*")
        trash.write_bytes(b"spoilt")
        with pytest.raises(InputError, match="in the trash is not what was put there"):
            keeper.restore("part.csv")
        assert "rebuilt" == keeper.rebuild("part.csv").outcome
    assert before == content(lake)


LINKS: dict[str, Callable[[Path], object]] = {
    "is a symbolic link": lambda path: (path.rename(path.with_name("elsewhere")), path.symlink_to("elsewhere")),
    "hard links": lambda path: os.link(path, path.with_name("second")),
}


@pytest.mark.parametrize("why", LINKS)
def test_links_are_not_deleted(lake: Path, part: tuple, why: str) -> None:
    """Deleting a link, or one of several names of a file, frees nothing: both are refused."""
    LINKS[why](lake / "part.csv")
    before = content(lake)
    with Keeper.of(lake) as keeper:
        done = keeper.delete(*part, days=7)
        assert ("refused", True) == (done.outcome, why in done.detail)
    assert before == content(lake)


def test_a_folder_that_became_a_link_leads_nowhere(lake: Path, tmp_path: Path) -> None:
    """A table whose folder now points out of the lake is neither deleted nor written there."""
    recipe = recipe_of(lake, "parts", "whole.csv", "text")
    (lake / "parts").rename(tmp_path / "outside")
    (lake / "parts").symlink_to(tmp_path / "outside")
    before = content(tmp_path / "outside")
    with Keeper.of(lake) as keeper:
        done = keeper.delete(*recipe, days=7)
        assert ("refused", True) == (done.outcome, "is not a path inside" in done.detail)
    assert before == content(tmp_path / "outside")


@pytest.mark.parametrize("name", ["a b\n.csv", "';--.csv", "ünï/日本.csv", "-rf.csv", "%2e%2e.csv"])
def test_odd_names_are_names_like_any_other(lake: Path, name: str) -> None:
    """Line breaks, quotes, dashes and other alphabets in names go and come back."""
    (lake / name).parent.mkdir(exist_ok=True)
    (lake / "part.csv").rename(lake / name)
    before = content(lake)
    recipe = recipe_of(lake, name, "whole.csv")
    with Keeper.of(lake) as keeper:
        assert "deleted" == keeper.delete(*recipe, days=0).outcome
        keeper.purge(name)
    with Keeper.of(lake) as keeper:
        keeper.rebuild(name)
    assert before == content(lake)


def test_an_unknown_table_gets_the_nearest_name(lake: Path, part: tuple) -> None:
    """A name that is not deleted is refused with a suggestion."""
    with Keeper.of(lake) as keeper:
        keeper.delete(*part, days=7)
        with pytest.raises(UsageError, match=r"'prat\.csv' is not among the deleted tables") as caught:
            keeper.rebuild("prat.csv")
    assert "did you mean 'part.csv'?" == caught.value.hint


def test_a_damaged_attic_stops_everything(lake: Path, part: tuple) -> None:
    """With a damaged journal or recipe no table is touched."""
    with Keeper.of(lake) as keeper:
        keeper.delete(*part, days=7)
    attic = lake / ".sluice" / "attic.sqlite"
    attic.write_bytes(attic.read_bytes()[:3_000])
    with pytest.raises(WarehouseError, match=r"attic\.sqlite"), Keeper.of(lake):
        pass


def test_the_journal_only_grows(lake: Path, part: tuple) -> None:
    """Lines of the journal can be neither changed nor removed."""
    with Keeper.of(lake) as keeper:
        keeper.delete(*part, days=7)
    with sqlite3.connect(lake / ".sluice" / "attic.sqlite") as connection:
        for query in ("DELETE FROM journal", "UPDATE journal SET event = 0"):
            with pytest.raises(sqlite3.IntegrityError, match="only added to"):
                connection.execute(query)


def test_a_lake_may_move(lake: Path, part: tuple, tmp_path: Path) -> None:
    """Recipes, journal and trash lie in the lake and name no absolute path."""
    before = content(lake)
    with Keeper.of(lake) as keeper:
        keeper.delete(*part, days=0)
        keeper.purge("part.csv")
    lake.rename(tmp_path / "moved")
    with Keeper.of(tmp_path / "moved") as keeper:
        keeper.rebuild("part.csv")
    assert before == content(tmp_path / "moved")
