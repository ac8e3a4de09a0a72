"""The demo's problem collection: sound where it says nothing, and broken exactly as it says where it says so."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
import yaml

from curation.sources.resolve import fingerprint
from curation.sources.stage import READ
from curation.verify import Judge, Task
from dedup.text.stage import DEDUP
from schemas.recipe.dedup import Dedup
from schemas.recipe.sources import Source, Sources
from warehouse.runner import run_stage
from warehouse.stages import Services, StageRun, Workspace

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def recipe() -> dict:
    """The keys of a recipe that the folder's README shows."""
    return yaml.safe_load((EXAMPLES / "README.md").read_text().split("```yaml")[1].split("```")[0])


@pytest.fixture(scope="module")
def written() -> dict[str, dict]:
    """Rows of the collection as they are written, by id."""
    files = sorted((EXAMPLES / "problems").glob("*.jsonl"))
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return {row["id"]: row for row in rows}


@pytest.fixture(scope="module")
def planted(written: dict[str, dict]) -> dict[str, str]:
    """Planted fault of each row that has one."""
    return {name: row["meta"]["planted"] for name, row in written.items() if "meta" in row}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    """Services over one warehouse for the whole module."""
    return Services(Workspace(tmp_path_factory.mktemp("examples")))


@pytest.fixture(scope="module")
def read(recipe: dict, services: Services) -> StageRun:
    """The collection, read."""
    sources = Sources(sources=tuple(Source(**source) for source in recipe["sources"]))
    return run_stage(READ, {}, fingerprint(sources, EXAMPLES), services)


@pytest.fixture(scope="module")
def problems(read: StageRun, services: Services) -> pl.DataFrame:
    """Rows of the contract problem."""
    return services.workspace.scan(read.rows).collect()


def _faults(planted: dict[str, str], *kinds: str) -> list[str]:
    return sorted(name for name, fault in planted.items() if fault in kinds)


def test_the_collection_is_broad(problems: pl.DataFrame, planted: dict[str, str]) -> None:
    """At least sixty sound problems, of every kind and difficulty, each with a reference and a known-wrong answer."""
    sound = problems.filter(~pl.col("source_id").is_in(list(planted)))
    levels = {(source, level[0]["raw"]) for source, level in sound.select("source", "difficulty").iter_rows()}
    assert sound.height >= 60
    assert {"easy", "medium", "hard"} == {level for _, level in levels}
    assert {"functions", "classes", "programs", "answers", "choices"} == {source for source, _ in levels}
    assert (
        0
        == sound.filter(
            (pl.col("reference_solutions").list.len() == 0) | (pl.col("wrong_solutions").list.len() == 0)
        ).height
    )


def test_reading_refuses_exactly_the_planted_rows(
    read: StageRun, services: Services, written: dict[str, dict], planted: dict[str, str]
) -> None:
    """Contradictory and missing tests are named rejections, with their file and line."""
    files = {file.name: file.read_text().splitlines() for file in (EXAMPLES / "problems").glob("*.jsonl")}
    rejections = services.workspace.scan(read.tables["rejections"]).collect()
    found = {
        json.loads(files[Path(row["file"]).name][row["line"] - 1])["id"]: row["reason"]
        for row in rejections.iter_rows(named=True)
    }
    reasons = {"contradictory_tests": "contradictory_tests", "zero_tests": "no_tests"}
    assert {name: reasons[fault] for name, fault in planted.items() if fault in reasons} == found
    assert len(written) == read.counts["in"]


@pytest.fixture(scope="module")
def statuses(problems: pl.DataFrame) -> dict[tuple[str, str, int], str]:
    """Status of every reference and every known-wrong answer, by source id, column and place."""
    columns = ("reference_solutions", "wrong_solutions")
    keyed = [
        ((row["source_id"], column, place), Task(row["verifier"], row["tests"], answer))
        for row in problems.iter_rows(named=True)
        for column in columns
        for place, answer in enumerate(row[column])
    ]
    with Judge() as judge:
        judged = [judgement.status.value for judgement in judge.judge(task for _, task in keyed)]
    return dict(zip((key for key, _ in keyed), judged, strict=True))


def test_references_pass_unless_planted_wrong(
    statuses: dict[tuple[str, str, int], str], planted: dict[str, str]
) -> None:
    """The judge accepts every reference but those that are planted wrong."""
    failing = {name for (name, column, _), status in statuses.items() if column[0] == "r" and status != "AC"}
    assert _faults(planted, "wrong_reference") == sorted(failing)


def test_known_wrong_answers_fail_unless_tests_are_planted_weak(
    statuses: dict[tuple[str, str, int], str], planted: dict[str, str]
) -> None:
    """The judge refuses every known-wrong answer but those that weak tests let through, all of them."""
    passing = Counter(name for (name, column, _), status in statuses.items() if column[0] == "w" and status == "AC")
    wrong = Counter(name for name, column, _ in statuses if column[0] == "w")
    assert {name: wrong[name] for name in _faults(planted, "weak_tests")} == dict(passing)


def test_dedup_finds_exactly_the_planted_repetitions(
    read: StageRun, services: Services, problems: pl.DataFrame, written: dict[str, dict], planted: dict[str, str]
) -> None:
    """Each planted repetition goes, with the row that it repeats as witness, and nothing else does."""
    run = run_stage(DEDUP, {"rows": read.rows}, Dedup(), services)
    name = dict(problems.select("problem_id", "source_id").iter_rows())
    decisions = services.workspace.scan(run.tables["decisions"]).collect()
    found = {name[row["record_id"]]: (row["reason"], name[row["witness"]]) for row in decisions.iter_rows(named=True)}
    reasons = {"duplicate": "exact_duplicate", "near_duplicate": "near_duplicate"}
    expected = {row: (reasons[fault], written[row]["meta"]["of"]) for row, fault in planted.items() if fault in reasons}
    assert expected == found


def test_contaminated_rows_are_items_of_the_benchmark(
    recipe: dict, written: dict[str, dict], planted: dict[str, str]
) -> None:
    """Each contaminated row holds the benchmark item that it names, and no other row holds any."""
    benchmark = EXAMPLES / recipe["decontaminate"]["benchmarks"][0]["path"]
    items = {item["id"]: item["prompt"] for item in map(json.loads, benchmark.read_text().splitlines())}
    held = {name: item for name, row in written.items() for item, prompt in items.items() if prompt in row["prompt"]}
    assert {name: written[name]["meta"]["of"] for name in _faults(planted, "contaminated")} == held
