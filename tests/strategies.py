"""Hypothesis strategies shared by the tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from schemas.recipe.dedup import Dedup

__all__ = ["alike_texts", "counts", "dedup_settings", "json_values", "plain_values", "programs", "renumbered_texts"]


def json_values(max_leaves: int = 10) -> st.SearchStrategy[Any]:
    """Any value that JSON can hold exactly."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=max_leaves,
    )


@st.composite
def alike_texts(draw: st.DrawFn, most: int = 12) -> list[str]:
    """Texts over few words, many of them edits of one another, with numbers, signs, case and white space in play."""
    words = st.sampled_from(
        ["add", "the", "Sum", "of", "x", "naïve", "3", "12", "x2", "list_1", "+", "-", "=", "?", "数"]
    )
    bodies = draw(st.lists(st.lists(words, min_size=1, max_size=24), min_size=1, max_size=3))
    texts = []
    for _ in range(draw(st.integers(1, most))):
        body = list(draw(st.sampled_from(bodies)))
        for _ in range(draw(st.integers(0, 2))):
            body[draw(st.integers(0, len(body) - 1))] = draw(words)
        joined = draw(st.sampled_from([" ", "  ", "\n"])).join(body)
        texts.append(joined.upper() if draw(st.booleans()) else joined)
    return texts


@st.composite
def renumbered_texts(draw: st.DrawFn, most: int = 8) -> list[str]:
    """Texts of one frame with different numbers in it, as digits, words with digits, or other scripts' digits."""
    frame = draw(st.lists(st.sampled_from(["add", "of", "the", "{}", "clips"]), min_size=3, max_size=15))
    numbers = st.sampled_from(["1", "2", "12", "x1", "x2", "3.5", "²", "٣", "1e3", "10_000"])
    count = draw(st.integers(1, most))
    return ["add " + " ".join(frame).format(*(draw(numbers) for _ in frame)) for _ in range(count)]


def dedup_settings() -> st.SearchStrategy[Dedup]:
    """Settings under which short texts are compared in every way."""
    return st.builds(
        Dedup,
        casefold=st.booleans(),
        near=st.sampled_from([True, True, True, False]),
        unit=st.sampled_from(["words", "characters"]),
        width=st.integers(1, 4),
        threshold=st.sampled_from([0.4, 0.6, 0.8, 1.0]),
        keep_numbers=st.booleans(),
        keep_operators=st.booleans(),
        fewest=st.integers(1, 6),
        common_share=st.sampled_from([None, 0.1, 0.5]),
        common_least=st.integers(1, 5),
        prefer=st.just(()),
    )


@st.composite
def counts(draw: st.DrawFn, most: int = 100) -> tuple[int, int]:
    """Answers judged (at least one) and answers right."""
    n = draw(st.integers(1, most))
    return n, draw(st.integers(0, n))


@st.composite
def programs(draw: st.DrawFn, most: int = 5) -> str:
    """Python programs of one function, with the constructs that mistakes are made in."""
    names = st.sampled_from(["x", "y", "items", "total"])
    atoms = (
        names | st.integers(-3, 30).map(str) | st.sampled_from(["True", "'ab'", "len(items)", "min(x, y)", "items[1:]"])
    )
    operators = st.sampled_from(["+", "-", "*", "//", "%", "<", "<=", "==", "!=", "and", "or", "in"])
    expressions = st.builds("({} {} {})".format, atoms, operators, atoms) | atoms
    lines = st.one_of(
        st.builds("{} = {}".format, names, expressions),
        st.builds("{} += {}".format, names, expressions),
        st.builds("if {}:\n        return {}".format, expressions, expressions),
        st.builds("for x in range({}):\n        total += {}".format, expressions, expressions),
        st.builds("while {}:\n        break".format, expressions),
        st.builds("items.append({})".format, expressions),
    )
    body = [*draw(st.lists(lines, max_size=most)), f"return {draw(expressions)}"]
    return "def f(x, y, items):\n    total = 0\n" + "".join(f"    {line}\n" for line in body)


def plain_values() -> st.SearchStrategy[Any]:
    """Values of built-in types, nested, including those that JSON has no word for."""
    keys = (
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.tuples(st.integers(), st.text(max_size=3))
    )
    scalars = keys | st.floats(allow_nan=False) | st.binary(max_size=8) | st.complex_numbers(allow_nan=False)
    return st.recursive(
        scalars | st.frozensets(keys, max_size=4) | st.sets(keys, max_size=4),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.tuples(inner, inner)
            | st.dictionaries(keys | st.just("!"), inner, max_size=4)
        ),
        max_leaves=12,
    )
