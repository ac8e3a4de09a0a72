"""The stage normalise."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.columns import statement_text
from curation.normalise import clean, normalise, trimmed
from schemas import ids
from schemas.recipe.normalise import Normalise
from schemas.records import PROBLEM
from tests.tables import problem

SCHEMA = pl.Schema(PROBLEM.arrow)


def frame(*rows):
    """Return problems as a lazy table."""
    return pl.LazyFrame(list(rows), schema=SCHEMA)


def said(number, text, **changes):
    """Return a problem that asks ``text``."""
    return problem(number, prompt=[{"role": "user", "content": text}], **changes)


def run(rows, services, **settings):
    """Return the decisions, as record id to (reason, measured, threshold, witness), and the rows."""
    result = normalise({"rows": rows}, Normalise(**settings), services)
    taken = result.decisions.collect()
    fields = taken.select("reason", "measured", "threshold", "witness").rows()
    return dict(zip(taken["record_id"], fields, strict=True)), result.rows.collect()


def test_what_no_reader_sees_is_cleaned(services):
    """Composition, line ends, control characters and spaces at ends go; everything else stays."""
    text = "\n\n Cafe\u0301 \t\r\nx\u00a0<  y\x00\ufeff\r\n  code\u2028end \n\n"
    _, rows = run(frame(said(1, text)), services)
    assert " Café\nx\u00a0<  y\n  code\nend" == rows["prompt"][0][0]["content"]


def test_a_prompt_that_is_continued_keeps_its_end(services):
    """Where a completion continues the prompt, its last line break is part of the task."""
    text = "def f(x):\r\n    '''Twice.'''  \n"
    _, rows = run(frame(said(1, text, starter_code=text)), services)
    assert "def f(x):\n    '''Twice.'''  \n" == rows["prompt"][0][0]["content"]


def test_every_message_is_cleaned_and_roles_stay(services):
    """All messages are cleaned, in order."""
    prompt = [{"role": "system", "content": "Be brief.\r\n"}, {"role": "user", "content": "Why?\x07"}]
    _, rows = run(frame(problem(1, prompt=prompt)), services)
    assert [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}] == rows["prompt"][
        0
    ].to_list()


@given(st.text())
def test_cleaning_is_stable(text):
    """Cleaning a clean text changes nothing, and keeps every visible character."""
    once = pl.select(trimmed(clean(pl.lit(text)))).item()
    assert once == pl.select(trimmed(clean(pl.lit(once)))).item()
    visible = [c for c in unicodedata.normalize("NFC", text) if not c.isspace() and unicodedata.category(c)[0] != "C"]
    assert visible == [c for c in once if not c.isspace() and unicodedata.category(c)[0] != "C"]


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text()), min_size=1, max_size=4))
def test_statement_agrees_with_the_ids(messages):
    """The vectorised statement is the one that ids are made of."""
    prompt = [{"role": role, "content": content} for role, content in messages]
    table = pl.DataFrame({"prompt": [prompt]}, schema={"prompt": SCHEMA["prompt"]})
    assert ids.statement(prompt) == table.select(statement_text()).item()


@pytest.mark.parametrize(
    ("row", "settings", "decision"),
    [
        (said(1, " \n\x00"), {}, ("blank_prompt", 0.0, 1.0, None)),
        (said(1, "Why?"), {"min_chars": 5}, ("prompt_too_short", 4.0, 5.0, None)),
        (said(1, "Why ever?"), {"max_chars": 8}, ("prompt_too_long", 9.0, 8.0, None)),
        (problem(1, tests="[]"), {}, ("no_tests", None, None, None)),
        (problem(1, language="perl"), {"languages": ("python",)}, ("language", None, None, "perl")),
        (said(1, "为什么 why"), {"max_foreign_letters": 0.4}, ("foreign_letters", 0.5, 0.4, None)),
        (said(1, "αβ why"), {"max_foreign_letters": 0.0}, None),
        (problem(1), {"languages": ("python",)}, None),
    ],
)
def test_reasons(services, row, settings, decision):
    """Each fault drops for its own reason, with what was measured and what was allowed."""
    decided, _ = run(frame(row, said(2, "Why so", language="python")), services, **settings)
    assert ({row["problem_id"]: decision} if decision else {}) == decided


def test_one_decision_per_row(services):
    """A row with several faults is dropped once, for the first."""
    decided, rows = run(frame(said(1, "", tests="[]", language="perl")), services, languages=("python",))
    assert (["blank_prompt"], 1) == ([reason for reason, *_ in decided.values()], rows.height)
