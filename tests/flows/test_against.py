"""A recipe held against what is published: what repeats it goes, with a published witness."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from flows.build import Build
from schemas.errors import UsageError
from tests.flows import small
from warehouse.house import Warehouse
from warehouse.publish import Published
from warehouse.stages import Services


def _built(recipe: Path, root: Path) -> tuple[Build, Published]:
    warehouse = Warehouse.open(root)
    build = Build.of(recipe, root)
    for step in build.steps:
        run = step.run(step.tables(build.done), Services(warehouse.workspace))
        build = replace(build, done={**build.done, step.name: run})
    build.keep_books(warehouse)
    return build, build.publish(warehouse)


def test_what_repeats_a_published_prompt_goes_with_a_published_witness(tmp_path: Path) -> None:
    """Eight published problems, of which the new batch repeats four exactly and edits one; four are new."""
    root = tmp_path / "warehouse"
    _, first = _built(small.recipe(tmp_path / "first", name="first"), root)
    ref = f"first@{first.version.version}"
    edit = small.answer(2)
    edit = {**edit, "id": "edit", "prompt": edit["prompt"].replace("altogether", "in all")}
    path = small.write(tmp_path / "second" / "answers.jsonl", [*small.rows(range(4, 12)), edit])
    second = small.recipe(
        tmp_path / "second", name="second", sources=[small.source(path)], dedup={"against": [ref], "threshold": 0.6}
    )
    build, published = _built(second, root)
    warehouse = Warehouse.open(root)
    dropped = build.done["dedup"].counts["dropped"]
    assert {"published": 4, "near_published": 1} == dropped
    decisions = warehouse.book("decisions").filter(run_id=build.run_id, stage="dedup").collect()
    theirs = set(warehouse.scan("first").collect()["problem_id"])
    assert set(decisions["witness"]) <= theirs
    assert [{"published": [ref]}] * 5 == [json.loads(detail) for detail in decisions["detail"]]
    assert theirs.isdisjoint(warehouse.scan("second").collect()["problem_id"])
    edges = warehouse.book("lineage").filter(pl.col("output").str.starts_with("dedup@"), input=ref).collect()
    assert (4, 1) == (published.version.rows, edges.height)


def test_a_version_that_is_not_there_is_told_before_anything_runs(tmp_path: Path) -> None:
    """The nearest known name or version is suggested."""
    root = tmp_path / "warehouse"
    _built(small.recipe(tmp_path / "first", name="first"), root)
    recipe = small.recipe(tmp_path / "second", name="second", dedup={"against": ["frist@1.0.0"]})
    with pytest.raises(UsageError, match="no dataset is called 'frist'") as error:
        Build.of(recipe, root)
    assert "first" in str(error.value.hint)
