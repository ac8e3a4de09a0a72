"""Free text: found by its shape, refused without a search, and refused with one that finds somebody."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

import polars as pl
import pytest

from privacy.minimize.free_text import Finding, find_personal_data, free_text_columns, refuse_free_text
from schemas.errors import FreeTextRefused
from tests.privacy.minimize.breaches import adult

PRESIDIO = importlib.util.find_spec("presidio_analyzer") is not None
NOTES = pl.DataFrame(
    {
        "note": [f"asked about form {number} of the housing office" for number in "abcdefghijklmnop"],
        "job": ["clerk", "night nurse in training at a hospital"] * 8,
    }
)


def test_prose_and_names_are_free_text() -> None:
    """Sentences and full names are; labels, however long, codes and numbers are not."""
    rows = 200
    frame = pl.DataFrame(
        {
            "prose": [f"the client came in and asked for the {number}th time" for number in range(rows)],
            "name": [f"Given{number} Family{number % 90}" for number in range(rows)],
            "label": [
                ("paid back duly till now", "critical account or other credits")[number % 2] for number in range(rows)
            ],
            "code": [f"{number:08x}" for number in range(rows)],
            "number": range(rows),
            "empty": pl.Series([None] * rows, dtype=pl.String),
        }
    )
    assert ["prose", "name"] == free_text_columns(frame)
    assert ["prose", "name"] == free_text_columns(frame.lazy())


def test_real_categories_are_not_free_text(real_data: Path) -> None:
    """No column of two census and credit tables is taken for prose."""
    credit = pl.read_csv(real_data / "tabular" / "german_credit.csv.gz")
    assert [] == free_text_columns(adult(real_data)) + free_text_columns(credit)


@pytest.mark.skipif(PRESIDIO, reason="presidio is installed, so free text is searched instead")
def test_free_text_is_refused_without_a_search() -> None:
    """Without the extra, the column is named and the way out is told; other columns do not matter."""
    with pytest.raises(FreeTextRefused, match=r"'note' holds free text[\s\S]*sluice\[presidio\]"):
        refuse_free_text(NOTES)
    assert [] == refuse_free_text(NOTES.select("job"))


needs_presidio = pytest.mark.skipif(not PRESIDIO, reason="needs the extra presidio: pip install 'sluice[presidio]'")


@needs_presidio
def test_personal_data_is_found_by_pattern() -> None:
    """Mail, phone, card, IBAN and machine addresses are found without a language model and without the network."""
    texts = [
        "write to bob.smith@example.com",
        "call +1 212 555 0187",
        "card 4111 1111 1111 1111",
        "pay to GB82WEST12345698765432",
        "seen from 192.168.0.1",
        "nothing of the kind",
    ]
    found = find_personal_data(texts).entities
    expected = {"EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "IP_ADDRESS"}
    assert dict.fromkeys(sorted(expected), 1) == {kind: found.get(kind) for kind in sorted(expected)}


@needs_presidio
def test_text_that_names_nobody_passes_and_text_that_does_is_refused() -> None:
    """Searched notes are reported; one mail address among them refuses the column."""
    assert [Finding("note", 16, {})] == refuse_free_text(NOTES)
    one = NOTES.with_columns(pl.col("note").str.replace("form a", "bob@example.com"))
    with pytest.raises(FreeTextRefused, match="'note': EMAIL_ADDRESS in 1"):
        refuse_free_text(one)


@pytest.mark.skipif(PRESIDIO, reason="the tests above run with presidio")
@pytest.mark.skipif("SLUICE_PRESIDIO_PYTHON" not in os.environ, reason="SLUICE_PRESIDIO_PYTHON names no interpreter")
def test_the_search_works_where_presidio_is_installed() -> None:
    """The tests of the search pass in an environment of its own that has presidio."""
    command = [os.environ["SLUICE_PRESIDIO_PYTHON"], "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert 0 == ran.returncode, ran.stdout
