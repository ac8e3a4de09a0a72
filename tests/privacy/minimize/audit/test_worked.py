"""Every figure of an audit, worked out by hand on tables small enough to follow with a finger."""

from __future__ import annotations

from fractions import Fraction
from math import exp, log

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
from tests.privacy.minimize.audit.test_counting import counted

_COUNTING = Audit(trained=False)


def _breach(known: list[tuple], attacked: list[tuple], columns: str, released: str, personal: str) -> Breach:
    """Return the breach of rows of single letters; columns are named by letters, too."""
    raw = pl.DataFrame([*known, *attacked], schema=list(columns), orient="row")
    test = np.arange(len(raw)) >= len(known)
    own = {name: [name] if name in released else [] for name in columns}
    return Breach(raw, raw.select(list(released)), tuple(personal), test, own)


@pytest.fixture
def sexes() -> Breach:
    """Stored is the town; of town a five records are known, of b three, of c two, of d none.

    In a, four of five are F; of all ten, four are F and six are M.
    """
    known = [*[("a", "F")] * 4, ("a", "M"), *[("b", "M")] * 3, *[("c", "M")] * 2]
    return _breach(known, [("a", "F"), ("a", "F"), ("a", "M"), ("b", "M"), ("d", "F")], "ts", "t", "s")


def test_reconstruction_by_hand(sexes: Breach) -> None:
    """In a the guess is F, two of three are right; elsewhere it is everybody's M, right in b and wrong in d.

    Wilson's interval of three in five is 0.231 to 0.882.
    """
    [outcome] = reconstruction(sexes, _COUNTING)
    told = results("reconstruction", [outcome], sexes, _COUNTING).row(0, named=True)

    assert Fraction(3, 5) == Fraction(told["table"]).limit_denominator(100)
    assert Fraction(2, 5) == Fraction(told["majority"]).limit_denominator(100)
    assert (0.231, 0.882) == (round(told["low"], 3), round(told["high"], 3))


def test_certainty_by_hand(sexes: Breach) -> None:
    """The guesses in a have 4 votes of 5, those elsewhere 6 of 10: two of the three in a are right, by expectation."""
    settings = Audit(trained=False, certain=(20, 40, 60, 80, 100))
    rows = high_certainty(reconstruction(sexes, settings), sexes, settings)

    expected = [Fraction(2, 3), Fraction(2, 3), Fraction(2, 3), Fraction(5, 8), Fraction(3, 5)]
    assert expected == [Fraction(share).limit_denominator(100) for share in rows["accuracy"]]
    assert [1, 2, 3, 4, 5] == rows["records"].to_list()


def test_own_buckets_by_hand() -> None:
    """A cell of four known records is not trusted: their bucket of the job decides, then everybody.

    Bucket g holds six clerks and three nurses, bucket h one driver. The four of (g, x) would have said nurse.
    """
    jobs = {"clerk": "g", "nurse": "g", "driver": "h", "pilot": "i"}
    known = [*[("nurse", "x")] * 3, ("clerk", "x"), *[("clerk", "y")] * 5, ("driver", "x")]
    raw = pl.DataFrame([*known, ("nurse", "x"), ("driver", "y"), ("pilot", "y")], schema=["job", "shift"], orient="row")
    released = raw.with_columns(pl.col("job").replace_strict(jobs))
    breach = Breach(raw, released, ("job",), np.arange(len(raw)) >= len(known))

    [outcome] = reconstruction(breach, _COUNTING)

    assert [False, True, False] == outcome.table.hit.tolist()


@pytest.fixture
def knowing() -> Breach:
    """Town p is personal, and so is q; n is not. p is n XOR z, q is p, and only z is stored."""
    rows = [(n, z, str(int(n != z)), str(int(n != z))) for n in "01" for z in "01" for _ in range(6)]
    return _breach(rows, rows[::6], "nzpq", "z", "pq")


def test_background_knowledge_by_hand(knowing: Breach) -> None:
    """From z alone p is a coin's toss, with n it is certain; whoever knows q knows p, told or learned before."""
    accuracy = {
        attack.__name__: [one.table.accuracy for one in attack(knowing, _COUNTING)]
        for attack in (reconstruction, non_personal_knowledge, leave_one_out, partial_personal_knowledge)
    }

    assert {
        "reconstruction": [0.5, 0.5],
        "non_personal_knowledge": [1, 1],
        "leave_one_out": [1, 1],
        "partial_personal_knowledge": [1, 1],
    } == accuracy


def test_partial_knowledge_by_hand() -> None:
    """The easier q, which z tells, is learned first; it is right of p in four of five, and z adds nothing to that."""
    rows = [(q, q, str(int(q != half))) for q in "01" for half in "00001" for _ in range(5)]
    breach = _breach(rows, [("0", "0", "0"), ("0", "0", "1"), ("1", "1", "1"), ("1", "1", "1")], "zqp", "z", "pq")
    found = partial_personal_knowledge(breach, _COUNTING)

    assert [("q", 1.0), ("p", 0.75)] == [(one.attribute, one.table.accuracy) for one in found]


def test_two_releases_by_hand() -> None:
    """Parity and half together name one of four values that each leaves open between two; ties go to the smaller."""
    rows = [(value, "ab"[int(value) % 2], "cd"[int(value) // 2]) for value in "0123" for _ in range(5)]
    accuracy = {
        released: reconstruction(_breach(rows, rows[::5], "vph", released, "v"), _COUNTING)[0].table.accuracy
        for released in ("", "p", "h", "ph")
    }

    assert {"": 0.25, "p": 0.5, "h": 0.5, "ph": 1.0} == accuracy


def test_links_by_hand() -> None:
    """What is stored links a to its one bucket; three of four in it have the value x: 9/16 + 1/16 of all are right.

    In the other direction the bucket tells a and nothing else: a record of it has the person's a, always. By chance
    half of the records have it.
    """
    rows = [(a, b + a) for a in "01" for b in "xxxy" for _ in range(200)]
    raw = pl.DataFrame(rows, schema=["a", "b"], orient="row")
    released = raw.select("a", b=pl.col("b").str.slice(1))
    breach = Breach(raw, released, ("a", "b"), np.arange(len(raw)) % 2 == 0)
    found = linkability(breach, Audit(trained=False, queries=20_000))

    assert [("a", "b"), ("b", "a")] == found.select("known", "linked").rows()
    assert found["rate"].to_list() == pytest.approx([5 / 8, 1], abs=0.015)
    assert found["random"].to_list() == pytest.approx([5 / 16, 1 / 2], abs=0.015)


def test_singling_out_by_hand() -> None:
    """Two records are alone in what is stored; the attacker names everybody's M, and one of the two is M."""
    known = [*[("a", "M")] * 5, *[("a", "F")] * 2]
    breach = _breach(known, [("a", "F"), ("b", "M"), ("c", "F")], "ts", "t", "s")
    [row] = singling_out(reconstruction(breach, _COUNTING), breach, _COUNTING).to_dicts()

    assert (2, 0.5, 0.5) == (row["records"], row["table"], row["majority"])
    assert (3, 1, 2, 2) == tuple(
        counted(breach)[None, name] for name in ("classes", "smallest_class", "smallest_classes", "singletons")
    )


def test_closeness_is_that_of_the_paper() -> None:
    """Example of Li et al. 2007: salaries of 3, 4, 5 thousand among 3 to 11 are 0.375 away, 6, 8, 11 only 0.167."""
    salaries = {"first": (3, 4, 5), "second": (6, 11, 8), "third": (7, 9, 10)}
    rows = [(name, salary) for name, held in salaries.items() for salary in held]
    figures = {}
    for apart in salaries:
        raw = pl.DataFrame(rows, schema=["class", "salary"], orient="row")
        released = raw.select(z=pl.when(pl.col("class") == apart).then(pl.lit("in")).otherwise(pl.lit("out")))
        breach = Breach(raw, released, ("salary",), np.arange(9) > 4)
        figures[apart] = counted(breach)["salary", "t"]

    assert {"first": 3 / 8, "second": 1 / 6, "third": 17 / 72} == pytest.approx(figures)


def test_diversity_and_group_risks_by_hand() -> None:
    """Groups of four, three and one person; illnesses 2 + 1 + 1, 2 + 1, and 1.

    k is 1; the fewest illnesses are one, in a group of one person in eight; a prosecutor finds 3 of 8 on average, and
    all but those of the group of four stand above a risk of 0.3.
    """
    held = {"a": ["flu", "flu", "cold", "gout"], "b": ["flu", "cold", "flu"], "c": ["gout"]}
    raw = pl.DataFrame([(z, ill) for z, ills in held.items() for ill in ills], schema=["z", "ill"], orient="row")
    breach = Breach(raw, raw.select("z"), ("ill",), np.arange(8) > 3)
    found = counted(breach, threshold=0.3)

    assert (1, 1, 3) == tuple(found[None, name] for name in ("smallest_class", "singletons", "classes"))
    assert (1, Fraction(3, 8), Fraction(4, 8)) == tuple(
        Fraction(found[None, f"prosecutor_{name}"]) for name in ("highest", "average", "at_risk")
    )
    assert Fraction(3, 8) == Fraction(found[None, "marketer"])
    assert (1, Fraction(1, 8)) == (found["ill", "distinct_l"], Fraction(found["ill", "told_for_certain"]))
    assert Fraction(6, 8) == Fraction(found["ill", "t"])
    without = raw.filter(pl.col("z") != "c")
    found = counted(Breach(without, without.select("z"), ("ill",), np.arange(7) > 3))
    assert (2, 2) == (found["ill", "distinct_l"], found["ill", "recursive_c"])
    assert exp(2 / 3 * log(3 / 2) + 1 / 3 * log(3)) == pytest.approx(found["ill", "entropy_l"])
