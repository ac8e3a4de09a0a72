"""A lake on the command line: looked through, planned, thinned out and brought back."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.dedup.retention.lakes import content, ordinary
from tests.flows.conftest import Ran

Ask = Callable[..., Ran]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A small lake, and a file that is no table."""
    root = ordinary(tmp_path / "my lake")
    (root / "broken.csv").write_text("a,b\n1,2\n3\n")
    return root


@pytest.fixture
def asked(ask: Ask, tmp_path: Path) -> Ask:
    """The commands, on a warehouse of this test's own."""
    return lambda *arguments: ask("dedup", *arguments, "-w", tmp_path / "warehouse")


def test_a_lake_is_looked_through_thinned_out_and_brought_back(lake: Path, asked: Ask) -> None:
    """The whole way: what is contained, what would go, deletion, undo, deletion again, rebuild; bit for bit."""
    before = content(lake)
    told = json.loads(asked("lake", lake, "--json").out)
    assert ("my_lake", {"ragged": 1}, []) == (told["lake"], told["rejections"], told["warnings"])
    assert told["edges"] == told["stages"][-1]["edges_out"] >= 6
    assert "<svg" in Path(told["report"]).read_text()
    planned = json.loads(asked("plan", "--json").out)["plan"]
    gone = {one["table"]: one["parent"] for one in planned["deletions"]}
    assert before == content(lake)
    assert len(gone) >= 3
    assert [{"table": table, "outcome": "deleted"} for table in sorted(gone)] == sorted(
        ({name: one[name] for name in ("table", "outcome")} for one in json.loads(asked("apply", "--json").out)),
        key=lambda one: one["table"],
    )
    assert not gone.keys() & content(lake).keys()
    assert 0 == asked("undo", "--all").code
    assert before == content(lake)
    asked("apply", "--json")
    for table in gone:
        assert 0 == asked("rebuild", table).code
    assert before == content(lake)


def test_savings_are_said_as_people_say_them(lake: Path, asked: Ask) -> None:
    """Money to the cent and bytes in units, in the terminal and on the page; exact numbers for machines."""
    seen = asked("lake", lake).out, asked("plan").out
    told = json.loads(asked("lake", lake, "--json").out)
    page = Path(told["report"]).read_text()
    for text in (*seen, page):
        assert "less than 0.01 USD a month" in " ".join(text.split())
        assert "% of what the lake costs" in " ".join(text.split())
        assert None is re.search(r"\de-\d\d", text)
    assert re.search(r"no plan saves more; deleting the largest saving first would save [\d.]+ % less", seen[1])
    assert 0 < told["plan"]["cost_before"] - told["plan"]["cost"] < 0.0001


def test_what_was_found_can_be_asked_in_sql(lake: Path, asked: Ask, ask: Ask, tmp_path: Path) -> None:
    """Tables, rejections, pairs, stages and the plan are datasets with versions."""
    asked("lake", lake, "--name", "mine")
    query = "SELECT verdict, count(*) AS n FROM mine_retention GROUP BY ALL ORDER BY ALL"
    rows = json.loads(ask("sql", query, "--json", "-w", tmp_path / "warehouse").out)
    assert ["delete", "keep"] == [row["verdict"] for row in rows]
    for table, least in (
        ("tables", 5),
        ("rejections", 1),
        ("containment", 6),
        ("stages", 4),
        ("near", 0),
        ("columns", 0),
    ):
        found = ask("sql", f"SELECT count(*) AS n FROM mine_{table}", "--json", "-w", tmp_path / "warehouse")
        assert least <= json.loads(found.out)[0]["n"]


def test_tables_of_the_warehouse_are_a_lake(lake: Path, asked: Ask) -> None:
    """Datasets that were published are compared by name, an empty one is rejected, and retention is not for them."""
    asked("lake", lake, "--json")
    (lake / "half.csv").unlink()
    asked("lake", lake, "--json")
    names = ("my_lake_tables", "my_lake_tables@1.0.0", "my_lake_near")
    told = json.loads(asked("lake", *(part for name in names for part in ("--table", name)), "--json").out)

    assert ("tables", 2, {"empty": 1}, ", ".join(names)) == (
        told["lake"],
        told["tables"],
        told["rejections"],
        told["path"],
    )
    assert 1 == told["edges"]
    assert "plan" not in told
    assert "<svg" in Path(told["report"]).read_text()
    refused = asked("plan", "--lake", "tables")
    assert (3, True) == (refused.code, "nothing can be deleted in tables of a warehouse" in refused.err)
    for wrong in (("lake",), ("lake", lake, "--table", "my_lake_tables")):
        assert "a lake is either a PATH or tables of the warehouse" in asked(*wrong).err


def test_looking_twice_changes_nothing(lake: Path, asked: Ask) -> None:
    """The same lake gives the same versions; a lake that changed gives new ones of what changed."""
    first = json.loads(asked("lake", lake, "--json").out)["datasets"]
    assert first == json.loads(asked("lake", lake, "--json").out)["datasets"]
    (lake / "half.csv").unlink()
    third = json.loads(asked("lake", lake, "--json").out)["datasets"]
    assert {"my_lake_rejections", "my_lake_columns"} <= {name for name in first if first[name] == third[name]}
    assert first["my_lake_containment"] != third["my_lake_containment"]


def test_a_parent_that_changed_is_warned_of(lake: Path, asked: Ask) -> None:
    """Whoever looks at the lake is told which deleted tables can no longer be rebuilt, and from what."""
    asked("lake", lake)
    done = json.loads(asked("apply", "--json").out)
    parents = {one["parent"] for one in json.loads(asked("plan", "--json").out)["plan"]["deletions"]}
    assert set() == parents
    kept = next(name for name in ("whole.csv", "copy.csv") if (lake / name).exists())
    with (lake / kept).open("a") as file:
        file.write("7,new,1.0,2020-01-01,true\n")
    told = json.loads(asked("lake", lake, "--json").out)
    assert {f"{one['table']} cannot be rebuilt: {kept}, which it is rebuilt from, is changed" for one in done} == set(
        told["warnings"]
    )
    refused = asked("rebuild", done[0]["table"])
    assert (3, True) == (refused.code, kept in refused.err)


@pytest.mark.parametrize("word", ["undo", "rebuild"])
def test_one_table_that_cannot_come_back_keeps_no_other_away(lake: Path, asked: Ask, word: str) -> None:
    """Of several tables those that can be brought back are; the others are told, with what to do, and the exit code."""
    before = content(lake)
    asked("lake", lake)
    first, *others = sorted(one["table"] for one in json.loads(asked("apply", "--json").out))
    (lake / first).write_text("something else")

    done = asked(word, *((first, *others) if word == "rebuild" else ["--all"]), "--json")

    told = {one["table"]: (one["outcome"], one["detail"]) for one in json.loads(done.out)}
    assert 3 == done.code
    assert ("refused", True) == (told[first][0], "move it away" in told[first][1])
    assert others == sorted(name for name, (outcome, _) in told.items() if outcome != "refused")
    assert before | {first: b"something else"} == content(lake)
    (lake / first).unlink()
    assert 0 == asked(word, first).code
    assert before == content(lake)


def test_after_the_window_the_trash_is_purged(lake: Path, asked: Ask, tmp_path: Path) -> None:
    """With no time to undo, purging frees the trash, and what was purged is rebuilt."""
    (tmp_path / "settings.yaml").write_text("undo_days: 0\nuse: {accesses: 0.01}\nkeep: [half.csv]\n")
    before = content(lake)
    asked("lake", lake, "--settings", tmp_path / "settings.yaml")
    done = [one["table"] for one in json.loads(asked("apply", "--json").out)]
    assert "half.csv" not in done
    purged = json.loads(asked("apply", "--purge", "--json").out)
    assert {(table, "purged") for table in done} == {(one["table"], one["outcome"]) for one in purged}
    assert [] == [path for path in (lake / ".sluice" / "trash").rglob("*") if path.is_file()]
    refused = asked("undo", done[0])
    assert (2, True) == (refused.code, "was purged at" in refused.err)
    assert 0 == asked("rebuild", *done).code
    assert before == content(lake)


MISTAKES = {
    "which lake is meant": (("plan",), 2),
    "no lake is 'nowhere'": (("plan", "--lake", "nowhere"), 2),
    "no file is at": (("lake", "absent"), 3),
    "did you mean 'storage'?": (("lake", ".", "--settings", "bad.yaml"), 2),
    "name the tables to bring back, or give --all": (("undo",), 2),
    "--near: Input should be less than 1 (got 7.0)": (("lake", ".", "--near", "7"), 2),
    "--memory: Input should be": (("lake", ".", "--memory", "7"), 2),
    "a lake is either a PATH or tables": (("lake",), 2),
}


@pytest.mark.parametrize("told", MISTAKES)
def test_mistakes_are_one_line_and_a_hint(
    told: str, asked: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong names, settings and options are told as such, with the exit code of their kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text("prices: {storrage: 1}\n")
    arguments, code = MISTAKES[told]
    ran = asked(*arguments)
    assert (code, True, False) == (ran.code, told in ran.err, "Traceback" in ran.err)


def test_a_glob_has_no_plan(asked: Ask, lake: Path) -> None:
    """A glob is looked through like a folder, but has no plan: deletion needs the whole folder."""
    told = json.loads(asked("lake", f"{lake}/*.csv", "--name", "some", "--json").out)
    assert ("plan" in told, told["tables"]) == (False, 4)
    refused = asked("plan")
    assert (3, True) == (refused.code, "nothing can be deleted" in refused.err)


@pytest.mark.usefixtures("server")
def test_a_lake_is_looked_through_by_the_flow(lake: Path, tmp_path: Path) -> None:
    """The scheduled flow finds and publishes what the command does, and deletes nothing."""
    from flows.lake import lake as flow

    before = content(lake)
    told = flow(str(lake), str(tmp_path / "warehouse"), settings={"near": None}, retention={"undo_days": 3})
    assert (5, 0, True) == (told["tables"], told["near"], told["plan"]["delete"] >= 3)
    assert Path(told["report"]).exists()
    assert before == content(lake)


REAL = {"pcm_covid19": (5351, 1788, 2), "fivethirtyeight": (476, 4, 2)}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_the_real_lakes(real_data: Path, asked: Ask, tmp_path: Path, name: str) -> None:
    """Both real lakes are looked through, thinned out and brought back bit for bit."""
    tables, edges, gone = REAL[name]
    with tarfile.open(real_data / "lake" / f"{name}.tar.gz") as packed:
        packed.extractall(tmp_path / "lake", filter="data")
    (root,) = (tmp_path / "lake").iterdir()
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in root.rglob("*") if path.is_file()}
    told = json.loads(asked("lake", root, "--json").out)
    assert (tables, edges, gone) == (told["tables"], told["edges"], told["plan"]["delete"])
    done = [one["table"] for one in json.loads(asked("apply", "--json").out)]
    assert gone == len(done)
    assert 0 == asked("rebuild", *done).code
    after = {path: hashlib.sha256(path.read_bytes()).digest() for path in before}
    assert before == after
