"""The report: complete, self-contained, and harmless whatever the prompts hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.errors import UsageError, WarehouseError
from schemas.registry import contract
from tests.built import DATASET, DROPPED, FLAGGED, HOSTILE, build, row_of
from tests.pages import Page, outside
from warehouse.gate import audit
from warehouse.house import Warehouse
from warehouse.report import BuildSummary, StageSummary, render, report_path, summarise, write


@pytest.fixture(scope="module")
def summary(built: Warehouse) -> BuildSummary:
    """The summary of the second run, as the warehouse knows it."""
    return summarise(built, "run_2", audit(built.files(DATASET), contract("prompt_set")))


@pytest.fixture(scope="module")
def page(summary: BuildSummary) -> str:
    """The report of the second run."""
    return render(summary)


def test_summary_comes_from_the_books(summary: BuildSummary) -> None:
    """Stages, histogram, phases, examples, suspects and versions are those of the run."""
    assert (DATASET, "1.1.0", 4, "published") == (summary.dataset, summary.version, summary.rows, summary.status)
    assert [
        ("read", 9, 8, {}, 0, 1),
        ("filters", 8, 6, {"too_easy": 1}, 1, 0),
        ("curricula", 6, 6, {}, 0, 0),
    ] == [(s.name, s.given, s.kept, s.dropped, s.failed, s.rejected) for s in summary.stages]
    assert {"0": 1, "0.1+": 1, "0.2+": 1, "0.3+": 1, "0.5+": 1, "0.6+": 1, "0.7+": 1, "0.8+": 1} == {
        bar.label: bar.count for bar in summary.pass_rates if bar.count
    }
    assert [("drive", "stage1", 4, 4)] == [(p.curriculum, p.phase, p.rows, p.problems) for p in summary.phases]
    assert [("sandbox_fault", "fail"), ("too_easy", "drop")] == [(e.reason, e.verdict) for e in summary.examples]
    assert HOSTILE == next(example.text for example in summary.examples if example.reason == "too_easy")
    assert {row_of(0)["problem_id"], row_of(FLAGGED)["problem_id"]} == {s.problem_id for s in summary.suspects}
    assert ["1.1.0", "1.0.0"] == [link.version for link in summary.versions]


def test_page_reaches_for_nothing_outside(page: str) -> None:
    """No script, no handler, no image, and links only to places within the page or beside it."""
    assert [] == outside(page)
    assert "default-src 'none'" in page


def test_hostile_prompt_is_only_text(page: str) -> None:
    """A prompt full of markup is shown, letter by letter, and acted on nowhere."""
    assert HOSTILE in Page(page).text
    assert "<script>" not in page
    assert "&lt;img src=//evil.example/x" in page


@pytest.mark.parametrize("field", ["dataset", "run_id", "recipe", "status", "version", "code_version", "inputs"])
def test_every_field_is_escaped(summary: BuildSummary, field: str) -> None:
    """Markup in any field is text."""
    hostile = replace(summary, **{field: [HOSTILE] if field == "inputs" else HOSTILE})

    assert set(Page(render(summary)).tags) == set(Page(render(hostile)).tags)


def test_page_is_well_formed_and_labelled(page: str) -> None:
    """Every element is closed, every chart has a description, the page names its language."""
    found = Page(page)

    assert [] == found.open
    assert '<html lang="en">' in page
    assert page.count('role="img"') == page.count('role="img" aria-label="') > 0


def test_failed_gate_is_told_first(summary: BuildSummary) -> None:
    """A failed check is shown with its rows; a run that published nothing says so."""
    [check, *others] = summary.audit.checks
    broken = replace(check, success=False, observed="3 rows break it", examples=({"row_id": "s_1"},))
    rejected = replace(
        summary,
        status="rejected",
        version=None,
        rows=None,
        audit=replace(summary.audit, checks=(*others, broken)),
    )

    text = " ".join(Page(render(rejected)).text.split())

    assert "rejected nothing published" in text
    assert f"1 of {len(others) + 1} checks failed" in text
    assert "3 rows break it" in text
    assert "row_id=s_1" in text


def test_small_build_has_a_report(tmp_path: Path) -> None:
    """A run that failed before its first stage, and one that read nothing, still have a page."""
    bare = BuildSummary("prompts", "run_1", "failed", datetime(2026, 1, 1, tzinfo=UTC))

    assert "prompts" in Page(render(bare)).text
    assert "read" in Page(render(replace(bare, stages=[StageSummary("read", 0, 0)]))).text
    assert tmp_path / "reports" / "prompts" / "run_1.html" == write(tmp_path, bare)


@pytest.mark.parametrize(("status", "page"), [("published", "1.0.0"), ("unchanged", "run_1"), ("rejected", "run_1")])
def test_only_the_run_that_published_a_version_writes_its_page(status: str, page: str, tmp_path: Path) -> None:
    """A run whose rows another published before has a page of its own."""
    told = BuildSummary("prompts", "run_1", status, datetime(2026, 1, 1, tzinfo=UTC), version="1.0.0")

    assert tmp_path / "reports" / "prompts" / f"{page}.html" == write(tmp_path, told)


def test_reports_link_to_each_other(tmp_path: Path) -> None:
    """A report links to the other versions' reports and releases where there are any, relative to itself."""
    house = build(tmp_path / "warehouse")
    (house.root / "releases" / DATASET / "1.0.0").mkdir(parents=True)
    first = write(house.root, summarise(house, "run_1", audit(house.files(DATASET, "1.0.0"), contract("prompt_set"))))

    links = Page(render(summarise(house, "run_2"))).references

    assert ["1.0.0.html", f"../../releases/{DATASET}/1.0.0/"] == [link for link in links if not link.startswith("#")]
    assert all((first.parent / link).exists() for link in links if not link.startswith("#"))
    assert summarise(house, "run_1").audit.success
    assert report_path(house.root, DATASET, "1.0.0") == first


def test_unknown_run_gets_a_hint(built: Warehouse) -> None:
    """A mistyped run is met with the nearest one."""
    with pytest.raises(UsageError) as caught:
        summarise(built, "run_22")

    assert "run_2" in caught.value.hint


def test_report_that_cannot_be_written_is_an_error(tmp_path: Path, summary: BuildSummary) -> None:
    """A file in the way of the folder is named."""
    (tmp_path / "reports").write_text("in the way")

    with pytest.raises(WarehouseError, match="cannot be written"):
        write(tmp_path, summary)


def test_dropped_problem_is_an_example(summary: BuildSummary) -> None:
    """The dropped problem stands there with measured value, threshold and witness."""
    example = next(one for one in summary.examples if one.record_id == row_of(DROPPED)["problem_id"])

    assert ("filters", 0.97, 0.9, "8 of 8") == (example.stage, example.measured, example.threshold, example.witness)
