"""The demo from end to end: every planted fault is found, and everything a newcomer is told to type works."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.flows.conftest import ROOT, Demo

_EXPECTED = {
    "wrong_reference": {"reference_fails"},
    "weak_tests": {"trivial_passes", "wrong_passes"},
    "duplicate": {"exact_duplicate"},
    "near_duplicate": {"near_duplicate"},
    "contaminated": {"contaminated_exact", "contaminated_containment", "contaminated_short"},
}
_REJECTED = {"contradictory_tests": "contradictory_tests", "zero_tests": "no_tests"}


def _planted() -> dict[str, str]:
    rows = [
        json.loads(line)
        for path in (ROOT / "examples" / "problems").glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    return {row["id"]: row["meta"]["planted"] for row in rows if "planted" in row.get("meta", {})}


def test_conservation_over_the_whole_build(demo: Demo) -> None:
    """At every stage, what went in is kept, dropped by reason, failed or rejected."""
    for stage in demo.told["stages"]:
        out = stage["kept"] + sum(stage["dropped"].values()) + stage["failed"] + stage.get("rejected", 0)
        assert stage["in"] == out, stage


@pytest.mark.parametrize("fault", sorted(_EXPECTED))
def test_planted_faults_are_dropped_for_the_right_reason(demo: Demo, fault: str) -> None:
    """Each problem broken on purpose is out, for the reason that was planted."""
    dropped = {
        name: demo.ask("why", f"{_source(name)}/{name}").out for name, kind in _planted().items() if kind == fault
    }

    assert dropped
    for name, story in dropped.items():
        assert any(reason in story for reason in _EXPECTED[fault]), (name, story)


def _source(name: str) -> str:
    for path in (ROOT / "examples" / "problems").glob("*.jsonl"):
        if f'"id": "{name}"' in path.read_text():
            return path.stem
    raise AssertionError(name)


def test_planted_faults_that_cannot_be_read_are_rejected_by_name(demo: Demo) -> None:
    """Contradictory or absent tests are rejections with file and line."""
    rejected = {row["reason"]: row["n"] for row in demo.sql("SELECT reason, count(*) AS n FROM rejections GROUP BY 1")}
    expected: dict[str, int] = {}
    for kind in _planted().values():
        if kind in _REJECTED:
            expected[_REJECTED[kind]] = expected.get(_REJECTED[kind], 0) + 1

    assert expected == rejected


def test_nothing_but_the_planted_faults_is_taken_out(demo: Demo) -> None:
    """Sound problems stay: the demo drops exactly what was broken on purpose."""
    taken = sum(sum(stage["dropped"].values()) + stage.get("rejected", 0) for stage in demo.told["stages"])

    assert len(_planted()) == taken


def test_every_published_row_can_be_explained(demo: Demo) -> None:
    """`why` answers for a row of each phase, by row id and by problem id."""
    rows = demo.sql("SELECT phase, min(row_id) AS row_id, min(problem_id) AS problem_id FROM demo GROUP BY phase")
    for row in rows:
        assert "published" in demo.ask("why", row["row_id"]).out
    assert 0 == demo.ask("why", rows[0]["problem_id"], "--json").code


def test_an_unchanged_re_run_is_a_no_op(demo: Demo) -> None:
    """The second run works nothing, publishes nothing and enters nothing into the books twice."""
    before = demo.sql("SELECT (SELECT count(*) FROM decisions) AS d, (SELECT count(*) FROM rollouts) AS r")
    again = demo.ask("run", "recipes/demo.yaml", "--json").json

    assert (True, True) == (again["unchanged"], all(stage["cached"] for stage in again["stages"]))
    assert (demo.told["run_id"], demo.told["version"]) == (again["run_id"], again["version"])
    assert before == demo.sql("SELECT (SELECT count(*) FROM decisions) AS d, (SELECT count(*) FROM rollouts) AS r")


def test_plan_tells_that_everything_is_built(demo: Demo) -> None:
    """A plan after the run finds every stage cached, and changes nothing."""
    planned = demo.ask("plan", "recipes/demo.yaml", "--json").json

    assert {True} == {step["cached"] for step in planned}


def test_plan_touches_nothing(tmp_path: Path, command) -> None:
    """A plan for a warehouse that is not there yet does not make one."""
    planned = command("plan", "recipes/demo.yaml", "--warehouse", tmp_path / "absent", "--json")

    assert (0, False) == (planned.code, (tmp_path / "absent").exists())
    assert {False} == {step["cached"] for step in planned.json}


def test_the_duckdb_file_opens_in_plain_duckdb(demo: Demo) -> None:
    """Anyone with DuckDB reads the views; the latest version and its pinned name agree."""
    with duckdb.connect(str(demo.root / "sluice.duckdb"), read_only=True) as connection:
        latest = connection.execute("SELECT count(*) FROM demo").fetchone()
        pinned = connection.execute('SELECT count(*) FROM "demo@1.0.0"').fetchone()

    assert (demo.told["rows"],) == latest == pinned


def test_every_export_holds_its_contract(demo: Demo) -> None:
    """Each export was written, and holds when its target's contract is asked again."""
    for export in demo.told["exports"]:
        assert export["refused"] is None
        assert 0 == demo.ask("export", "demo", "--to", export["target"], "--check").code


def test_the_release_folder_verifies_and_tampering_is_found(demo: Demo, tmp_path: Path, command) -> None:
    """A copy of the release is whole; one changed byte is named."""
    copy = Path(shutil.copytree(demo.told["release"], tmp_path / "copy"))
    assert 0 == command("verify-release", copy).code
    shard = next((copy / "data").rglob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-1])
    found = command("verify-release", copy)

    assert 3 == found.code
    assert shard.name in found.out


def test_an_audit_of_the_published_version_passes(demo: Demo) -> None:
    """The version holds its contract when asked again."""
    found = demo.ask("audit", "demo", "--json")

    assert (0, set()) == (found.code, {check["name"] for check in found.json["checks"] if not check["success"]})


def test_rollouts_are_spread_over_difficulty(demo: Demo) -> None:
    """Mutants give problems of every band: the demo's curricula have something to schedule."""
    bands = {row["band"] for row in demo.sql("SELECT DISTINCT band FROM demo WHERE phase = 'sft'")}

    assert {"easy", "medium", "hard"} == bands


def test_next_phase_carries_the_published_set_on(demo: Demo) -> None:
    """The newest checkpoint re-measures the last phase, and that alone; the recipe leaves the next phase as it is."""
    told = demo.ask(
        "drive", "next-phase", "recipes/demo.yaml", "--checkpoint", "recipes/checkpoints/demo.yaml", "--json"
    ).json
    rows = pl.DataFrame(demo.sql("SELECT phase, problem_id, policy_revision FROM demo WHERE phase LIKE 'stage2%'"))
    first, second = (set(rows.filter(phase=name)["problem_id"]) for name in ("stage2.1", "stage2.2"))

    again = demo.ask("run", "recipes/demo.yaml", "--json").json
    assert ("1.1.0", "minor") == (told["version"], told["bump"])
    assert len(first) == sum(told["pass_rates"])
    assert ("1.1.0", True) == (again["version"], again["unchanged"])
    assert again["report"].endswith("demo/1.0.0.html"), "the page of the next phase is left as it is"
    assert second < first
    assert {"2"} == set(rows.filter(phase="stage2.2")["policy_revision"])


def test_rollback_lets_readers_see_the_older_version(demo: Demo) -> None:
    """After the next phase, `latest` can go back, and forth again; versions stay."""
    assert 0 == demo.ask("rollback", "demo", "1.0.0").code
    assert "1.0.0" == demo.ask("show", "demo", "--json").json["version"]
    demo.ask("rollback", "demo", "1.1.0")
    assert "1.1.0" == demo.ask("show", "demo", "--json").json["version"]
    assert {"added", "removed", "changed", "unchanged"} <= set(demo.ask("diff", "demo", "1.0.0", "--json").json)
