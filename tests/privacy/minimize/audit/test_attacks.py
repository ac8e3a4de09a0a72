"""Attacks: each does what its name says, on small worlds where the answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from privacy.minimize.audit.attacks import (
    high_certainty,
    leave_one_out,
    non_personal_knowledge,
    partial_personal_knowledge,
    reconstruction,
    results,
    singling_out,
)
from privacy.minimize.audit.breach import Breach
from privacy.minimize.audit.linkability import linkability
from privacy.minimize.audit.settings import Audit
from privacy.minimize.evaluate.folds import held_back
from schemas.errors import UsageError

COUNTING = Audit(trained=False, personal=("sex", "job"))


@pytest.fixture
def world() -> Breach:
    """Sex follows from age, job from sex and town; only the job's first letter is stored."""
    draw = np.random.default_rng(1)
    old, town = draw.integers(0, 2, 2_000), draw.integers(0, 2, 2_000)
    jobs = np.array(["clerk", "cook", "driver", "doctor"])[2 * town + old]
    raw = pl.DataFrame(
        {"age": np.where(old, 60, 30), "town": np.where(town, "x", "y"), "sex": np.where(old, "F", "M"), "job": jobs}
    )
    released = raw.select(pl.col("job").str.slice(0, 1))
    return Breach(raw, released, ("sex", "job"), held_back(raw, 0.33, 1))


def accuracies(outcomes: list) -> dict[str, float]:
    """Accuracy per attribute, to two digits."""
    return {one.attribute: round(one.accuracy, 2) for one in outcomes}


def test_what_each_attacker_knows(world: Breach) -> None:
    """Only those who know the age name the sex; whoever knows the sex and the first letter knows the job."""
    assert accuracies(reconstruction(world, COUNTING)) == pytest.approx({"sex": 0.5, "job": 0.5}, abs=0.05)
    assert {"sex": 1.0, "job": 1.0} == accuracies(non_personal_knowledge(world, COUNTING))
    assert {"sex": 1.0, "job": 1.0} == accuracies(leave_one_out(world, COUNTING))


def test_partial_knowledge_learns_the_easiest_first() -> None:
    """The attribute that is easiest to read is attacked first, and its truth helps with the next."""
    draw = np.random.default_rng(2)
    first = draw.integers(0, 2, 1_500)
    second = np.where(draw.random(1_500) < 0.1, 1 - first, first)
    raw = pl.DataFrame({"hard": second.astype(str), "easy": first.astype(str)})
    breach = Breach(raw, raw.select("easy"), ("hard", "easy"), held_back(raw, 0.33, 1))
    found = partial_personal_knowledge(breach, COUNTING)
    assert ["easy", "hard"] == [one.attribute for one in found]
    rows = results("partial_personal_knowledge", found, breach, COUNTING)
    assert [1, 2] == rows["step"].to_list()
    blind = Breach(raw, pl.DataFrame(), ("hard", "easy"), breach.test)
    told = accuracies(partial_personal_knowledge(blind, COUNTING))
    assert told["hard"] == pytest.approx(0.9, abs=0.04) if list(told)[1] == "hard" else told["easy"] > 0.85


def test_certainty_pays() -> None:
    """Where one bucket tells everything and another nothing, the most certain guesses are all right."""
    draw = np.random.default_rng(3)
    told = draw.random(3_000) < 0.3
    sex = np.where(told, "F", np.where(draw.random(3_000) < 0.5, "F", "M"))
    raw = pl.DataFrame({"sex": sex})
    breach = Breach(raw, pl.DataFrame({"z": told.astype(str)}), ("sex",), held_back(raw, 0.33, 1))
    outcomes = reconstruction(breach, Audit(trained=False))
    rows = high_certainty(outcomes, breach, Audit(trained=False))
    by_percent = dict(rows.select("percent", "accuracy").iter_rows())
    assert 1.0 == by_percent[1] == by_percent[10]
    assert by_percent[100] == outcomes[0].accuracy < by_percent[50]
    clients = replace(breach, clients=pl.Series(np.arange(3_000) // 10))
    wider = high_certainty(outcomes, clients, Audit(trained=False))
    whole = [one.filter(percent=100).select("low", "high").row(0) for one in (rows, wider, _all(outcomes, clients))]
    assert whole[1] == pytest.approx(whole[2])
    assert whole[1] != whole[0]


def _all(outcomes: list, breach: Breach) -> pl.DataFrame:
    return results("reconstruction", outcomes, breach, Audit(trained=False))


def test_singling_out_scores_those_alone() -> None:
    """People alone in their class are scored by themselves; where nobody is, there is no row."""
    raw = pl.DataFrame({"sex": ["F", "M"] * 50})
    crowd = Breach(raw, pl.DataFrame({"z": ["a", "b"] * 50}), ("sex",), np.arange(100) % 3 == 0)
    assert singling_out(reconstruction(crowd, COUNTING), crowd, COUNTING).is_empty()
    lonely = Breach(raw, pl.DataFrame({"z": [str(row) for row in range(100)]}), ("sex",), np.arange(100) % 3 == 0)
    alone = singling_out(reconstruction(lonely, COUNTING), lonely, COUNTING)
    assert 34 == alone["records"].item()
    assert alone["majority"].item() == alone["accuracy"].item()


def test_links_follow_what_is_stored() -> None:
    """Attributes that determine each other are linked always when stored as they are, and by chance when dropped."""
    draw = np.random.default_rng(4)
    one = draw.integers(0, 5, 2_000)
    raw = pl.DataFrame({"a": one.astype(str), "b": (one * 3 % 5).astype(str)})
    test = held_back(raw, 0.5, 1)
    whole = linkability(Breach(raw, raw, ("a", "b"), test), COUNTING)
    assert [1.0, 1.0] == whole["rate"].to_list()
    assert whole["random"].to_list() == pytest.approx([0.2, 0.2], abs=0.05)
    nothing = linkability(Breach(raw, pl.DataFrame(), ("a", "b"), test), COUNTING)
    assert nothing["rate"].to_list() == pytest.approx([0.2, 0.2], abs=0.05)


def test_a_second_release_tells_more_than_either() -> None:
    """Two releases whose borders differ name what neither does alone."""
    draw = np.random.default_rng(5)
    ages = draw.integers(0, 4, 1_200)
    raw = pl.DataFrame({"age": ages.astype(str)})
    low, high = pl.Series("z", ages < 1).cast(pl.String), pl.Series("z", ages % 2 == 0).cast(pl.String)
    test = held_back(raw, 0.33, 1)

    def accuracy(*releases: pl.Series) -> float:
        released = pl.DataFrame([one.alias(f"age@{number}") for number, one in enumerate(releases)])
        breach = Breach(raw, released, ("age",), test, {"age": released.columns})
        return reconstruction(breach, Audit(trained=False))[0].accuracy

    assert max(accuracy(low), accuracy(high)) < 0.6 < accuracy(low, high)


def test_what_does_not_belong_together_is_refused() -> None:
    """Rows that differ in number, and attributes that are not there, are named."""
    raw = pl.DataFrame({"sex": ["F", "M"]})
    with pytest.raises(UsageError, match=r"\[1, 2\] rows"):
        Breach(raw, raw[:1], ("sex",), np.array([True, False]))
    with pytest.raises(UsageError, match="did you mean 'sex'"):
        Breach(raw, raw, ("sx",), np.array([True, False]))
