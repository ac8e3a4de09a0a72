"""Suites that are read instead of run."""

from __future__ import annotations

import json

import pytest

from curation.verify.suites import translate


@pytest.mark.parametrize(
    ("code", "right", "wrong"),
    [
        ("assert f(2) == 4", 4, 5),
        ("assert 4 == f(2)", 4, 5),
        ("assert f(2) != 4", 5, 4),
        ("assert f(2) is True", True, 1),
        ("assert f([1], k=(2, {3})) == {'a': None}", {"a": None}, {}),
        ("assert not f(2)", 0, 1),
        ("assert f(2), 'message'", [1], []),
        ("assert abs(f(2) - 0.5) < 1e-6", 0.5000000001, 0.6),
        ("assert abs(f(3 * 19) - 2.0 / 3.0) < 1e-6", 2 / 3, 0.6),
        ("assert f('a' + 'b') == (3 + 5, [-(2**7)])", (8, [-128]), (8, [128])),
        ("def check(c):\n    print\n    assert c(2) == 4\ncheck(f)", 4, 5),
        ("METADATA = {'a': 1}\ndef check(c):\n    'doc'\n    assert True\n    assert c(2) == 4\ncheck(f)", 4, 5),
    ],
)
def test_literal_asserts(code: str, right: object, wrong: object) -> None:
    """Asserts on one call with literal arguments become a call and a condition."""
    (call,) = translate((code,), "f", "f")
    assert (True, False) == (call.holds(right), call.holds(wrong))


def test_arguments_are_read() -> None:
    """Positional and keyword arguments arrive as the values they spell, arithmetic among them done."""
    (call,) = translate(("assert f(-1, [True, 3 * 5 - 1], k='x' + 'y') == 0",), "f", "Solution().f")
    assert ("f", [-1, [True, 14]], {"k": "xy"}) == (call.callee, call.args, call.kwargs)


@pytest.mark.parametrize(
    "code",
    [
        "for i in range(3): assert f(i) == i",
        "assert f(g(1)) == 2",
        "assert f(1) == f(1)",
        "x = [1]\nassert f(x) == 1",
        "assert f(2).bit_length() == 3",
        "assert 1 < f(2) < 3",
        "assert f(*[1]) == 1",
        "assert g(2) == 4",
        "assert f(2) is 4",
        "assert f(2 + n) == 4",
        "assert f(10**1000 * 'x') == 4",
        "assert f(1 / 0) == 4",
        "def check(c):\n    unknown\n    assert c(2) == 4\ncheck(f)",
        "import os\nassert f(2) == 4",
        "def check(c):\n    assert c(1) == 1",
        "@decorated\ndef check(c):\n    assert c(1) == 1\ncheck(f)",
        "def check(c):\n    f = lambda x: 1\n    assert f(1) == 1\ncheck(f)",
        "not python at all (",
        "",
    ],
)
def test_everything_else_is_run(code: str) -> None:
    """Whatever does more than that is left to the tester."""
    assert translate((code,), "f", "f") is None


def test_several_tests_are_single_asserts_or_run() -> None:
    """Tests that could spoil each other are run."""
    assert 2 == len(translate(("assert f(1) == 1", "assert f(2) == 2"), "f", "f"))
    assert translate(("assert f(1) == 1\nassert f(2) == 2", "assert f(3) == 3"), "f", "f") is None


def test_reading_and_running_agree(judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same suites give the same verdicts whether they are read or run."""
    from curation.verify import Task, functions

    suite = "def check(c):\n    assert c(2) == 4\n    assert c([1]) == (1,)\n    assert not c('')\ncheck(f)"
    programs = [
        "def f(x): return {2: 4, '': 0}.get(x if not isinstance(x, list) else 9, (1,))",
        "def f(x): return x * x",
        "def f(x): return [1]",
        "def f(x: return",
        "raise ValueError",
        "def f(x): return object()",
    ]
    verifier = json.dumps({"kind": "asserts", "entry_point": "f"})
    tasks = [Task(verifier, json.dumps([{"code": suite}]), program) for program in programs]
    read = [judgement.status for judgement in judge.judge(tasks)]
    monkeypatch.setattr(functions, "translate", lambda *_: None)
    assert read == [judgement.status for judgement in judge.judge(tasks)]
