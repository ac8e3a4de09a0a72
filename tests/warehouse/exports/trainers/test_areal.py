"""AReaL's own reader takes the export row for row, and would take a built-in set by the path's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.exports.trainers.stubs import stubbed

pytestmark = pytest.mark.trainers


@pytest.fixture(scope="module")
def areal() -> Any:
    """AReaL's module of data sets, without the engines that its package imports."""
    with stubbed("areal.api", "areal.infra", hollow="areal"):
        return pytest.importorskip("areal.dataset")


def test_rows_arrive(areal: Any, exported: Callable, read_back: Callable, expected: list):
    """`get_custom_dataset` gives messages, answers and ids as published, in order."""
    report = exported("areal-rl")
    rows = areal._get_custom_dataset(str(report.folder / report.parts[0].path), type="rl", split="train")
    read_back(report, "areal", len(rows))
    assert [row["prompt"] for row in expected] == rows["messages"][:]
    assert [row["row_id"] for row in expected] == rows["row_id"][:]


def test_a_name_in_the_path_selects_another_set(areal: Any, exported: Callable, tmp_path: Path):
    """The trap is real: with `gsm8k` in its path, the export is not what is read."""
    report = exported("areal-rl")
    place = tmp_path / "gsm8k-curated"
    (report.folder / report.parts[0].path).rename(place)
    with pytest.raises(ValueError, match="save_to_disk"):
        areal._get_custom_dataset(str(place), type="rl", split="train")


def test_the_reward_is_called_as_its_workflow_does(exported: Callable, expected: list, reward_module: Callable):
    """Prompt, completion, both as tokens, and every column by name: the judge answers by problem id."""
    judge = reward_module(exported("areal-rl").folder).areal_reward
    row = expected[0]
    given = [
        judge("", f"```python\n{row[name][0]}```", [], [], messages=row["prompt"], problem_id=row["problem_id"])
        for name in ("reference_solutions", "wrong_solutions")
    ]
    assert [1.0, 0.0] == given
