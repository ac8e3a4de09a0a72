"""Why: every record, published or not, has a story; every unknown id has a hint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.errors import UsageError
from tests.built import DATASET, DROPPED, FAILED, FLAGGED, build, rollout_of, row_of
from warehouse.house import Warehouse
from warehouse.why import why


def test_every_published_row_can_be_explained(built: Warehouse) -> None:
    """Each row of each version has a story: source, every stage it passed, and where it stands."""
    for version in built.versions(DATASET):
        for row in built.scan(DATASET, version.version).collect().iter_rows(named=True):
            story = why(built, row["row_id"])

            assert ("row", row["problem_id"], "published") == (story.kind, story.problem_id, story.outcome)
            assert ("made", row["source_id"]) == (story.source["source"], story.source["source_id"])
            assert ["read", "filters", "curricula"] == [stage for stage, _ in story.fates[-1].stages]
            assert (version.version, row["row_id"]) in {(at["version"], at["row_id"]) for at in story.published}


def test_dropped_record_is_explained(built: Warehouse) -> None:
    """A dropped problem's story ends at the stage that dropped it, with measured, threshold and witness."""
    story = why(built, row_of(DROPPED)["problem_id"])

    name, [decision] = story.fates[0].stages[-1]
    assert ("dropped", "filters", ()) == (story.outcome, name, story.published)
    assert {
        "verdict": "drop",
        "reason": "too_easy",
        "measured": 0.97,
        "threshold": 0.9,
        "witness": "8 of 8",
    } == decision
    assert [f"made.jsonl@{'a' * 32}"] == story.source["files"]


def test_runs_that_name_their_inputs_otherwise_leave_a_story_whole(tmp_path: Path) -> None:
    """A lake compared or a table read in the same warehouse takes nothing from where a problem came from."""
    warehouse = build(tmp_path / "warehouse")
    run = warehouse.book("runs").collect().row(0, named=True)
    warehouse.upsert_run({**run, "run_id": "run_3", "dataset": "lake", "inputs": json.dumps(["/data/lake", ["a.csv"]])})
    story = why(warehouse, row_of(DROPPED)["problem_id"])

    assert [f"made.jsonl@{'a' * 32}"] == story.source["files"]


def test_failed_and_flagged_records_are_told_apart(built: Warehouse) -> None:
    """A problem that could not be judged failed; a flagged one was published with its flag."""
    failed, flagged = why(built, row_of(FAILED)["problem_id"]), why(built, row_of(FLAGGED)["problem_id"])

    assert ("failed", ["published", "published"]) == (failed.outcome, [fate.outcome for fate in flagged.fates])
    assert "flag label_suspect (measured 0.97, threshold 0.9, witness 8 of 8)" in str(flagged)


def test_kept_but_unpublished_record_is_explained(built: Warehouse) -> None:
    """A problem that all stages kept and no phase took has a fate in that run too."""
    story = why(built, row_of(7)["problem_id"])

    assert [("run_2", "kept"), ("run_1", "published")] == [(fate.run_id, fate.outcome) for fate in story.fates]


def test_rollout_leads_to_its_problem(built: Warehouse) -> None:
    """An answer's story is its verdict and the story of its problem."""
    story = why(built, rollout_of(2, 1)["rollout_id"])

    assert ("rollout", row_of(2)["problem_id"], "AC") == (story.kind, story.problem_id, story.rollout["status"])
    assert [(8, 2)] == [(rate["n"], rate["c"]) for rate in story.pass_rates]


@pytest.mark.parametrize("asked", ["3", "made/3"])
def test_source_id_leads_to_its_problem(built: Warehouse, asked: str) -> None:
    """The source's own id finds the problem, with or without the source's name."""
    assert ("source", row_of(3)["problem_id"]) == (why(built, asked).kind, why(built, asked).problem_id)


def test_rejected_row_is_explained(built: Warehouse) -> None:
    """A row that became no problem is found by file and line."""
    story = why(built, "made.jsonl:9")

    assert ("rejected", "no_tests") == (story.outcome, story.source["reason"])
    assert "made.jsonl:9 (rejection): rejected" in str(story)


def test_story_is_json_and_text(built: Warehouse) -> None:
    """The same story for machines and for people."""
    problem_id = row_of(2)["problem_id"]
    story = why(built, problem_id)

    assert "published" == json.loads(json.dumps(story.to_json()))["outcome"]
    text = str(story)
    assert text.startswith(f"{problem_id} (problem): published\nsource: made/2, license Apache-2.0")
    assert "pass rate: mutants@1, 2 of 8 (0.250, 95 % 0.071 to 0.591)" in text
    assert f"in {DATASET} 1.1.0: drive/stage1 at 2, medium" in text


def test_unknown_id_names_the_nearest(built: Warehouse) -> None:
    """A mistyped or shortened id is met with the id that was meant."""
    meant = row_of(2)["problem_id"]

    for typed in (meant[:-1] + "!", meant[:14]):
        with pytest.raises(UsageError) as caught:
            why(built, typed)
        assert f"did you mean {meant!r}?" == caught.value.hint
    with pytest.raises(UsageError, match="nothing called 'entirely unlike any of them'"):
        why(built, "entirely unlike any of them")


def test_empty_warehouse_knows_nothing(house: Warehouse) -> None:
    """Before the first run every id is unknown."""
    with pytest.raises(UsageError, match="nothing called"):
        why(house, "p_0")


def test_hostile_id_is_only_text(built: Warehouse) -> None:
    """Quotes and SQL in an id are looked up, not run."""
    with pytest.raises(UsageError, match="nothing called"):
        why(built, "' OR 1=1; DROP VIEW runs; --")
