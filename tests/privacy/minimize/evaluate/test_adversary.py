"""Attackers: what they cannot know they do not guess, what order rows come in does not matter, and none is weak."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.minimize.audit.breach import Breach
from privacy.minimize.evaluate.adversary import Records, reconstruct
from privacy.minimize.evaluate.encoding import Attack, cells, codes, target
from privacy.minimize.evaluate.folds import held_back
from privacy.minimize.evaluate.table_adversary import guess_by_table
from privacy.minimize.evaluate.trained_adversary import allowed_values, common_values, guess_by_training, logits
from schemas.errors import UsageError
from tests.privacy.minimize.breaches import ADULT_PERSONAL, adult, breaches, uniform


def halves(known: pl.DataFrame, personal: pl.DataFrame, seed: int = 5) -> tuple[Records, Records]:
    """Two random halves of some records."""
    test = held_back(pl.concat([known, personal.select(pl.all().name.prefix("true "))], how="horizontal"), 0.5, seed)
    sides = [(known.filter(rows) if known.width else known, personal.filter(rows)) for rows in (~test, test)]
    return Records(*sides[0]), Records(*sides[1])


@given(breaches(most=40), st.integers(0, 9_999))
@settings(max_examples=20)
def test_the_order_of_the_rows_does_not_matter(breach: Breach, seed: int) -> None:
    """The table attacker hits equally often when rows are shuffled."""
    order = np.random.default_rng(seed).permutation(len(breach.raw))
    released = breach.released[order] if breach.released.width else breach.released
    shuffled = Breach(breach.raw[order], released, breach.personal, breach.test[order], breach.own)
    first, second = (one.attack(one.personal, trained=False, seed=0) for one in (breach, shuffled))
    assert [one.accuracy for one in first] == [one.accuracy for one in second]


@given(breaches(most=40))
@settings(max_examples=20)
def test_the_names_of_buckets_do_not_matter(breach: Breach) -> None:
    """Renaming what is stored changes nothing."""
    renamed = breach.released.select(pl.all().str.reverse() + "!")
    other = Breach(breach.raw, renamed, breach.personal, breach.test, breach.own)
    first, second = (one.attack(one.personal, trained=False, seed=0) for one in (breach, other))
    assert [one.accuracy for one in first] == [one.accuracy for one in second]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("xyz"), st.integers(1, 4)), min_size=1, max_size=12))
def test_a_weight_is_so_many_equal_rows(rows: list[tuple[int, str, int]]) -> None:
    """A row of weight n in the attacker's sample does what n equal rows do."""
    known = pl.DataFrame({"z": [str(row[0]) for row in rows]})
    personal = pl.DataFrame({"s": [row[1] for row in rows]})
    repeated = np.repeat(np.arange(len(rows)), [row[2] for row in rows])
    attacked = Records(known, personal)
    [weighted] = reconstruct(Records(known, personal, np.array([row[2] for row in rows])), attacked, trained=False)
    [repeats] = reconstruct(Records(known[repeated], personal[repeated]), attacked, trained=False)
    assert repeats.table.hit.tolist() == weighted.table.hit.tolist()
    assert repeats.table.certainty.tolist() == weighted.table.certainty.tolist()


def test_a_release_of_nothing_gives_the_majority() -> None:
    """With every column dropped, both attackers name the commonest value."""
    personal = pl.DataFrame({"s": ["a"] * 70 + ["b"] * 30})
    [outcome] = reconstruct(*halves(pl.DataFrame(), personal))
    assert outcome.majority.accuracy == outcome.accuracy
    assert 0.6 < outcome.accuracy < 0.8


def test_a_release_of_everything_gives_everything() -> None:
    """With the attribute stored as it is, both attackers are always right."""
    personal = pl.DataFrame({"s": ["a", "b", "c", None] * 30})
    [outcome] = reconstruct(*halves(personal, personal))
    assert (1.0, 1.0) == (outcome.table.accuracy, outcome.trained.accuracy)


def test_training_sees_what_counting_cannot() -> None:
    """Where cells are too small to count in, the trained attacker finds the rule and is the one reported."""
    draw = np.random.default_rng(0)
    bits = draw.integers(0, 2, (1200, 10))
    known = pl.DataFrame({f"z{number}": bits[:, number].astype(str) for number in range(10)})
    personal = pl.DataFrame({"s": (bits[:, :3].sum(axis=1) >= 2).astype(str)})
    [outcome] = reconstruct(*halves(known, personal))
    assert outcome.strongest == "trained"
    assert outcome.table.accuracy < 0.75
    assert outcome.accuracy > 0.95


def test_a_continuous_attribute_is_hit_within_a_twentieth_of_its_range() -> None:
    """Ages 20 to 120 in buckets of 10 years are always hit (5 years either side); in buckets of 40, seldom."""
    ages = pl.DataFrame({"age": list(range(20, 121)) * 6})
    fine = ages.select((pl.col("age") // 10).cast(pl.String))
    coarse = ages.select((pl.col("age") // 40).cast(pl.String))
    [exact], [blurred] = (reconstruct(*halves(known, ages)) for known in (fine, coarse))
    assert exact.table.accuracy > 0.9
    assert 0.2 < blurred.accuracy < 0.5


def test_a_number_and_a_missing_number_are_not_hit_together() -> None:
    """A guess of the highest step does not also cover missing values."""
    values = pl.Series("age", [*range(100), None])
    coded = target(values)
    assert not coded.hit(np.array([19]), slice(100, 101))[0]
    assert coded.hit(np.array([21]), slice(100, 101))[0]


def test_impossible_values_are_never_guessed() -> None:
    """Both attackers name only values that the record's own bucket allows."""
    draw = np.random.default_rng(2)
    values = draw.integers(0, 9, 900)
    known = pl.DataFrame({"s": (values // 3).astype(str), "noise": draw.integers(0, 30, 900).astype(str)})
    own = codes(known["s"])[0]
    everything = cells([codes(column)[0] for column in known], 900)
    attack = Attack([everything], cells([own], 900), target(pl.Series(values)), train=600)
    table = guess_by_table(attack)
    trained = guess_by_training(attack, [codes(column)[0] for column in known], table)
    assert (values[600:] // 3).tolist() == (table.code // 3).tolist()
    assert (values[600:] // 3).tolist() == (trained.code // 3).tolist()


def test_more_values_than_are_trained_on_are_left_to_the_table() -> None:
    """Of 200 values the trained attacker tells 64 apart; the others it answers like the table attacker."""
    values = pl.Series([f"v{number:03}" for number in range(200)] * 6)
    known = pl.DataFrame({"s": values})
    [outcome] = reconstruct(*halves(known, pl.DataFrame({"s": values})))
    assert outcome.accuracy == outcome.table.accuracy > 0.9


def test_frames_that_do_not_fit_are_refused() -> None:
    """Different columns, and different numbers of rows, are told with both."""
    one, other = pl.DataFrame({"a": ["x"]}), pl.DataFrame({"b": ["x"]})
    with pytest.raises(UsageError, match=r"known columns .* \['a'\] and \['b'\]"):
        reconstruct(Records(one, one), Records(other, one))
    with pytest.raises(UsageError, match="received 1 and 2 rows"):
        Records(one, pl.DataFrame({"s": ["x", "y"]}))


@pytest.fixture(scope="module")
def strong(real_data: Path) -> tuple[list, pl.DataFrame, pl.DataFrame]:
    """Uniform(4) of Adult, attacked, on 27,133 rows against 13,567."""
    frame = adult(real_data)
    released = uniform(frame.drop("y"), 4, seed=1)
    order = np.random.default_rng(1).permutation(len(frame))
    train, test = order[:27_133], order[27_133 : 27_133 + 13_567]
    truth = frame.select(ADULT_PERSONAL)
    return reconstruct(Records(released[train], truth[train]), Records(released[test], truth[test])), released, frame


def test_the_trained_attacker_is_strong(strong: tuple) -> None:
    """On Uniform(4) of Adult it is right in at least 88 % of all cases, and beats counting by two points."""
    outcomes = strong[0]
    trained = np.mean([one.trained.accuracy for one in outcomes])
    table = np.mean([one.table.accuracy for one in outcomes])
    assert trained >= 0.88
    assert trained >= table + 0.02
    assert all(one.accuracy >= one.majority.accuracy for one in outcomes)


def test_a_mask_of_zeros_is_weaker_than_ruling_out(real_data: Path) -> None:
    """Zeros for impossible values beat possible ones of negative logit; -inf does not care where logits are centred."""
    frame = adult(real_data)[:9_000]
    released = uniform(frame.drop("y"), 4, seed=1)
    known = [codes(column)[0] for column in released]
    own = cells([codes(released["occupation"])[0]], len(frame))
    attack = Attack([cells(known, len(frame))], own, target(frame["occupation"]), train=6_000)
    classes = common_values(attack)
    raw, allowed = logits(attack, known, classes), allowed_values(attack)[:, classes]
    likely = raw - np.log(np.exp(raw).sum(axis=1, keepdims=True))
    truth = attack.target.codes[6_000:]

    def accuracy(scores: np.ndarray, impossible: float) -> float:
        return float((classes[np.where(allowed, scores, impossible).argmax(axis=1)] == truth).mean())

    assert accuracy(raw, -np.inf) == accuracy(likely, -np.inf)
    assert accuracy(likely, 0) < accuracy(raw, -np.inf) - 0.2
    trained = guess_by_training(attack, known, guess_by_table(attack))
    assert accuracy(raw, -np.inf) == float((trained.code == truth).mean())
