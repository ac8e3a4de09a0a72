"""The invariants of a build, each with a build that keeps it and one that does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.records import PROMPT_SET
from tests.tables import decisions, problems, prompt_row, prompt_rows
from warehouse.audits import Outcome
from warehouse.fingerprint import content_hash
from warehouse.gate import audit
from warehouse.invariants import Build
from warehouse.runner import run_stage
from warehouse.stages import Services, Stage, StageResult, StageRun, no_decisions

_DROPPED = 3


def _read(*_: Any) -> StageResult:
    return StageResult(no_decisions(), problems(range(6)).lazy())


def _judge(*_: Any) -> StageResult:
    gone = problems([_DROPPED])["problem_id"][0]
    return StageResult(decisions([(gone, "drop", "too_easy")]))


@pytest.fixture
def stages(services: Services) -> list[StageRun]:
    """A reader of six problems, and a filter that drops one of them."""
    read = run_stage(Stage("read", "1", _read), {}, None, services)
    return [read, run_stage(Stage("filters", "1", _judge), {"rows": read.rows}, None, services)]


def _audit(tmp_path: Path, rows: list[dict[str, Any]], build: Build | None) -> dict[str, Outcome]:
    path = tmp_path / "rows.parquet"
    prompt_rows(rows).write_parquet(path)
    result = audit([path], PROMPT_SET, context=build)
    return {check.name: check for check in result.checks if check.expectation == "invariant"}


def _kept() -> list[dict[str, Any]]:
    return [prompt_row(number, order_index=at) for at, number in enumerate((0, 1, 2, 4, 5))]


def test_sound_build_keeps_every_invariant(services: Services, stages: list[StageRun], tmp_path: Path) -> None:
    """A build that dropped by decision, in order and unchanged, passes all invariants."""
    prompt_rows(_kept()).write_parquet(tmp_path / "expected.parquet")
    expected, _ = content_hash([tmp_path / "expected.parquet"], PROMPT_SET)

    found = _audit(tmp_path, _kept(), Build(services.workspace, stages, expected))

    assert [] == [name for name, check in found.items() if not check.success]
    assert {
        "columns",
        "types",
        "order_is_a_permutation",
        "exposures_count_up",
        "content_hash",
        "conservation",
        "handed_on",
        "known_records",
        "none_decided_out",
    } == set(found)


def test_published_drop_is_caught(services: Services, stages: list[StageRun], tmp_path: Path) -> None:
    """A row whose problem a stage dropped is refused, with the stage and reason."""
    rows = [prompt_row(number) for number in range(6)]

    check = _audit(tmp_path, rows, Build(services.workspace, stages))["none_decided_out"]

    assert not check.success
    assert [("filters", "too_easy")] == [(example["stage"], example["reason"]) for example in check.examples]


def test_row_from_nowhere_is_caught(services: Services, stages: list[StageRun], tmp_path: Path) -> None:
    """A row whose problem no reader of this run brought is refused, by id."""
    stranger = prompt_row(99, order_index=5)

    check = _audit(tmp_path, [*_kept(), stranger], Build(services.workspace, stages))["known_records"]

    assert ({"problem_id": stranger["problem_id"]},) == check.examples


@pytest.mark.parametrize("indices", [[1, 2, 3], [0, 0, 1], [0, 1, 3]], ids=["late", "twice", "gap"])
def test_order_must_be_a_permutation(indices: list[int], tmp_path: Path) -> None:
    """A phase whose order starts late, repeats or has a gap is refused."""
    rows = [prompt_row(number, order_index=at) for number, at in enumerate(indices)]

    check = _audit(tmp_path, rows, None)["order_is_a_permutation"]

    assert (False, 1) == (check.success, check.broken)
    assert "stage1" == check.examples[0]["phase"]


def test_exposures_must_count_up(tmp_path: Path) -> None:
    """A second exposure without a first one is refused."""
    check = _audit(tmp_path, [prompt_row(0, dup_index=1)], None)["exposures_count_up"]

    assert not check.success


def test_conservation(services: Services, stages: list[StageRun], tmp_path: Path) -> None:
    """A stage that lost a row without a decision, or was given fewer than were kept, is refused by name."""
    lossy = replace(stages[1], counts={**stages[1].counts, "in": 5, "dropped": {}, "kept": 4})

    found = _audit(tmp_path, _kept(), Build(services.workspace, [stages[0], lossy]))

    assert "filters: 5 in, 4 accounted for" == found["conservation"].observed
    assert "read kept 6, filters was given 5" == found["handed_on"].observed


def test_readers_of_one_name_count_together(services: Services, stages: list[StageRun], tmp_path: Path) -> None:
    """Several sources hand on the sum of what they kept."""
    half = replace(stages[0], counts={"in": 3, "kept": 3, "dropped": {}, "failed": 0})

    found = _audit(tmp_path, _kept(), Build(services.workspace, [half, half, stages[1]]))

    assert found["handed_on"].success


def test_other_content_is_caught(services: Services, tmp_path: Path) -> None:
    """Rows that are not those the build meant to publish are refused."""
    check = _audit(tmp_path, _kept(), Build(services.workspace, content_hash="0" * 32))["content_hash"]

    assert (False, "0" * 32) == (check.success, check.expected)


def test_invariants_read_several_files(tmp_path: Path) -> None:
    """A phase split over files is one phase."""
    frame = prompt_rows(_kept())
    paths = [tmp_path / f"{part}.parquet" for part in range(2)]
    frame.slice(0, 2).write_parquet(paths[0])
    frame.slice(2).write_parquet(paths[1])

    assert audit(paths, PROMPT_SET).success
