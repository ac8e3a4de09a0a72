"""A policy told to people."""

from __future__ import annotations

from privacy.minimize.cells import Node
from privacy.minimize.rules import Categories, Drop, Interval
from privacy.minimize.show import markdown, sheets
from tests.privacy.minimize.corpora import policy_of

_AGE = Interval(type="int", borders=["17.5", "37.5", "64.5"])
_JOB = Categories(type="str", buckets={"g0": ["a|b", "<c>"], "g1": ["d"]})


def test_a_cell_is_told_in_raw_units_with_neighbours_as_one_span() -> None:
    """Questions to one column on a way are told as what is left of it."""
    inner = Node(column="age", buckets=("b2", "__null__"), left="c0", right="c1")
    tree = Node(column="age", buckets=("b0",), left="c2", right=inner)
    policy = policy_of({"age": _AGE}, release="cell", cells=tree)

    [cells] = [sheet for sheet in sheets(policy) if sheet.columns[0] == "cell"]

    told = (("c2", "age: ≤ 17"), ("c0", "age: 38 to 64, missing"), ("c1", "age: 18 to 37, > 64"))
    assert told == cells.rows


def test_what_is_not_stored_is_told_with_the_reason() -> None:
    """Dropped columns, and the client's id."""
    policy = policy_of({"age": _AGE, "sex": Drop()}, client="id")

    [gone] = [sheet for sheet in sheets(policy) if sheet.title == "What is not stored"]

    assert (("sex", "not needed for the purpose"), ("id", "says whose row it is")) == gone.rows


def test_markdown_keeps_hostile_categories_in_their_cell() -> None:
    """Bars, tags and line breaks of a category do not break the table."""
    text = markdown(policy_of({"job": _JOB}))

    assert "| job (str) | g0 | a\\|b, &lt;c> |" in text


def test_risk_is_called_empirical_and_told_figure_by_figure() -> None:
    """What an audit wrote into the policy stands on the page."""
    policy = policy_of({"age": _AGE}).with_risk({"reconstruction": {"worst": 0.51064}, "smallest_group": 436})

    [risk] = [sheet for sheet in sheets(policy) if sheet.title.startswith("Empirical risk")]

    assert (("reconstruction.worst", "0.5106"), ("smallest_group", "436")) == risk.rows
