"""Sets on disk come back as they went in, in any order, and leave no file behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.text import ragged, store
from dedup.text.store import SetStore

LISTS = st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=6), max_size=12)


def _filled(lists: list[list[int]], folder: Path, cut: int = 3) -> SetStore:
    made = SetStore(folder)
    for part in (lists[:cut], lists[cut:]):
        flat = [value for one in part for value in one]
        made.append(np.array([len(one) for one in part], np.int64), np.array(flat, np.uint64))
    made.seal()
    return made


@given(lists=LISTS, data=st.data())
def test_lists_come_back_in_any_order(lists: list[list[int]], data: st.DataObject) -> None:
    """Any selection, repeated or reordered, reads the lists asked for."""
    made = _filled(lists, Path("/tmp"))
    chosen = data.draw(st.lists(st.sampled_from(range(len(lists))), max_size=8)) if lists else []
    expected = [value for number in chosen for value in lists[number]]
    assert expected == made.read(np.array(chosen, np.int64)).tolist()


@given(lists=LISTS, data=st.data())
def test_a_reordered_view_reads_the_same_lists(lists: list[list[int]], data: st.DataObject) -> None:
    """List k of the view is the list that the permutation names."""
    order = data.draw(st.permutations(range(len(lists))))
    view = _filled(lists, Path("/tmp")).reordered(np.array(order, np.int64))
    everyone = np.arange(len(lists))
    assert [value for number in order for value in lists[number]] == view.read(everyone).tolist()


def test_nothing_is_left_on_disk(tmp_path: Path) -> None:
    """The file has no name even while it is in use, so that a killed process leaves none."""
    made = _filled([[1, 2], [3]], tmp_path)
    assert ([], [3]) == (list(tmp_path.iterdir()), made.read(np.array([1])).tolist())


@pytest.mark.parametrize("most", [1, 2, 100])
def test_batches_cover_every_list_once_within_the_budget(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches hold few lists and few values, except a list that is alone too large."""
    monkeypatch.setattr(store, "_VALUES_AT_ONCE", 100)
    lists = [[1] * size for size in (5, 0, 60, 200, 1, 1, 40)]
    made = _filled(lists, tmp_path)
    batches = list(made.batches(np.arange(len(lists)), most))
    assert list(range(len(lists))) == np.concatenate(batches).tolist()
    assert all(len(batch) <= most and (made.sizes[batch].sum() <= 100 or len(batch) == 1) for batch in batches)


@given(costs=st.lists(st.integers(0, 20), max_size=30), budget=st.integers(1, 30))
def test_cuts_are_within_the_budget_or_single(costs: list[int], budget: int) -> None:
    """Consecutive cuts cover everything, each within the budget or of one item."""
    cuts = list(ragged.budgeted(np.array(costs, np.int64), budget))
    assert list(range(len(costs))) == [number for cut in cuts for number in range(cut.start, cut.stop)]
    assert all(sum(costs[cut]) <= budget or cut.stop - cut.start == 1 for cut in cuts)
