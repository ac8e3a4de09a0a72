"""The error tree."""

from __future__ import annotations

import pytest

from schemas import errors


def _tree(base: type[errors.SluiceError]) -> list[type[errors.SluiceError]]:
    return [base, *(below for child in base.__subclasses__() for below in _tree(child))]


def test_every_error_is_drawn_in_the_tree_with_its_exit_code() -> None:
    """The picture at the top of the module shows each class and the code it exits with."""
    drawn = {
        name: int(code)
        for line in (errors.__doc__ or "").splitlines()
        for name, code, *_ in [[*line.replace("├──", "").replace("└──", "").replace("│", "").split(), "", ""]]
        if code.isdigit()
    }

    assert {one.__name__: one.exit_code for one in _tree(errors.SluiceError)} == drawn


def test_an_error_carries_its_message_and_hint() -> None:
    """The hint follows the message, and both can be read apart."""
    error = errors.InputError("it is not there.", hint="look elsewhere.")

    assert ("it is not there.", "look elsewhere.") == (error.message, error.hint)
    assert "it is not there.\n\nHint: look elsewhere." == str(error)


def test_a_missing_extra_says_how_to_get_it() -> None:
    """The install line is in the hint."""
    assert "pip install 'sluice[spark]'" in str(errors.MissingExtra("pyspark", "spark"))


@pytest.mark.parametrize(("word", "expected"), [("treshold", "threshold"), ("zzz", None)])
def test_nearest_finds_the_word_that_was_meant(word: str, expected: str | None) -> None:
    """Close words are suggested, far ones are not."""
    assert expected == errors.nearest(word, ["threshold", "rules"])
