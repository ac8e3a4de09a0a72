"""Mutants: deterministic, valid, different from the reference, and as likely as the temperature says."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.rollouts.mutants.answers import wrong_answers
from curation.rollouts.mutants.programs import Subject
from curation.rollouts.mutants.sampler import mutants, respond
from tests.curation.code_problems import asserted, called, stream
from tests.strategies import programs
from tests.tables import problem

_RICH = '''\
import math
def rich(items: list[int], low: int = 2) -> str:
    """Docstring with 1 number."""
    best, seen = 0, []
    for i, item in enumerate(items[1:low]):
        if item < low and not item == 3:
            continue
        while best < item:
            best += 1
            seen.append(f"{item:>3}")
        if item in seen or best >= 10:
            break
    return max(seen[i] for i in range(best - 1)) if seen else -1 * math.floor(low / 2)
if __name__ == "__main__":
    print(rich([1, 2]))
'''


def _same(program: str) -> str:
    return ast.dump(ast.parse(program))


@settings(deadline=None, max_examples=40)
@given(program=programs())
def test_every_mutant_parses_and_differs(program: str) -> None:
    """One change gives a valid program with another syntax tree, and never the same one twice."""
    found = [mutant.program for mutant in Subject(program).first_order()]

    assert _same(program) not in {_same(mutant) for mutant in found}
    assert len(found) == len({*found})


@settings(deadline=None, max_examples=25)
@given(program=programs(), seed=st.integers(0, 99), index=st.integers(0, 99), temperature=st.floats(0, 5))
def test_answers_follow_from_seed_problem_and_index(program: str, seed: int, index: int, temperature: float) -> None:
    """Equal settings give equal text, in any order and process; a mistaken answer still parses."""
    made = asserted(1, reference_solutions=[program])

    first = respond(made, index, temperature, seed)
    respond(made, index + 1, temperature, seed)

    assert first == respond(made, index, temperature, seed)
    assert first == program or _same(str(first)) != _same(program)


def test_an_answer_is_fixed_for_all_time() -> None:
    """The text of an answer is part of its id's meaning; a change here is a new revision of the policy."""
    reference = stream(7)["reference_solutions"][0]

    answers = [str(respond(stream(7), index, 1.0, 0)) for index in range(10)]

    assert [0, 1, 2, 4, 5, 7, 8, 9] == [index for index, text in enumerate(answers) if text == reference]
    assert "total = 7\nfor _ in range(int(input())):\n    total -= int(input())\nprint(total - 7)\n" == answers[3]


def test_every_operator_of_the_catalogue_applies() -> None:
    """A program with all the constructs is changed by all the operators."""
    operators = {name for mutant in Subject(_RICH).first_order() for name in mutant.operators}

    assert {
        "arithmetic",
        "bound",
        "comparison",
        "condition",
        "boolean",
        "constant",
        "deletion",
        "function",
        "jump",
        "method",
        "return",
        "sign",
        "variable",
    } == operators


def test_what_means_nothing_is_left_alone() -> None:
    """Annotations, docstrings, format specifications, imports and main guards stay as they are."""
    for mutant in Subject(_RICH).first_order():
        assert '"""Docstring with 1 number."""' in mutant.program
        assert "items: list[int], low: int=" in mutant.program
        assert ":>3}" in mutant.program or "seen.append" not in mutant.program
        assert "__name__ == '__main__'" in mutant.program
        assert "import math" in mutant.program


def test_given_code_is_not_mutated() -> None:
    """What the problem gave, a policy would not have got wrong."""
    given_code = "def helper(x):\n    return x + 1\n\ndef f(x):\n"
    program = f"{given_code}    return helper(x) * 2\n"

    found = mutants(asserted(1, starter_code=given_code, reference_solutions=[program]), program, 99, seed=0)

    assert 5 == len(found)
    assert all("return x + 1" in mutant for mutant in found)


@pytest.mark.parametrize("program", ["def f(:\n", "print 'two'\n", "x = '\x00'", "(" * 3000 + ")" * 3000, ""])
def test_what_does_not_parse_has_no_mutants(program: str) -> None:
    """Broken, old or absurd programs are answered as they are and have no mutants."""
    made = asserted(1, reference_solutions=[program])

    assert (program, []) == (respond(made, 0, 5.0, 0), mutants(made, program, 5, seed=0))


def test_temperature_sets_how_much_goes_wrong() -> None:
    """At 0 all is right; the hotter, the more is wrong; long programs go wrong more often than short ones."""
    short = asserted(1, reference_solutions=["def f(x):\n    return x\n"])
    long = asserted(2, reference_solutions=[_RICH])

    def right(made: dict[str, Any], temperature: float) -> int:
        return sum(respond(made, i, temperature, 0) == made["reference_solutions"][0] for i in range(100))

    assert 100 == right(long, 0)
    assert 0 <= right(long, 4) < right(long, 1) < right(long, 0.2) < 100
    assert right(long, 1) < right(short, 1)


def test_problems_without_a_program_to_change_get_no_answers() -> None:
    """No reference, or one in another language, is nothing to mutate."""
    assert respond(called(1, reference_solutions=[]), 0, 1.0, 0) is None
    assert respond(stream(1, language="cpp"), 0, 1.0, 0) is None
    assert [] == mutants(stream(1, language="cpp"), "int main() {}", 5, seed=0)


@settings(deadline=None)
@given(kind=st.sampled_from(["math", "exact", "choice", "json"]), answer=st.text(max_size=30))
def test_wrong_answers_differ(kind: str, answer: str) -> None:
    """No wrong answer is the right one, and none comes twice."""
    found = list(wrong_answers(kind, answer))

    assert answer.strip() not in {text.strip() for text in found}
    assert len(found) == len({*found})


@pytest.mark.parametrize(
    ("kind", "answer", "expected"),
    [
        ("math", "6 * 7 = 42\n#### 42", "6 * 7 = 42\n#### 43"),
        ("math", r"\boxed{\frac{3}{4}}", r"\boxed{\frac{3}{5}}"),
        ("math", "1,200", "1201"),
        ("math", "0.5", "0.6"),
        ("choice", "The answer is (B)", "The answer is (A)"),
        ("exact", "Paris", "pARIS"),
    ],
)
def test_nearest_wrong_answer(kind: str, answer: str, expected: str) -> None:
    """The last number moves by one in its last place, a letter becomes another, a word changes its case."""
    assert expected == next(wrong_answers(kind, answer))


def test_math_answers_go_wrong_with_their_steps() -> None:
    """A worked answer of many steps goes wrong more often than a bare number, and keeps its format."""
    bare, worked = problem(1), problem(2, reference_solutions=["1 + 2 = 3\n3 * 4 = 12\n12 - 5 = 7\n#### 7"])

    answers = [[respond(made, i, 2.0, 0) for i in range(100)] for made in (bare, worked)]

    right = [texts.count(made["reference_solutions"][0]) for texts, made in zip(answers, (bare, worked), strict=True)]
    assert 100 > right[0] > right[1] > 0
    assert all(str(text).rpartition("#### ")[2].isdigit() for text in answers[1])


def test_mutants_are_one_change_away_and_stable() -> None:
    """The mutants that measure tests are first order, distinct, and the same at every call."""
    made = asserted(1)
    reference = made["reference_solutions"][0]
    first_order = {mutant.program for mutant in Subject(reference).first_order()}

    found = mutants(made, reference, 8, seed=3)

    assert 8 == len({*found})
    assert {*found} <= first_order
    assert found == mutants(json.loads(json.dumps(made)), reference, 8, seed=3)
    assert {*found} != {*mutants(made, reference, 8, seed=4)}
