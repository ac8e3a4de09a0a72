"""The verdict interface: order, statuses, rewards, faults, and what is left behind."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest

from curation.verify import Judge, Task
from curation.verify.functions import death
from curation.verify.home import Home
from curation.verify.ladder import detect
from curation.verify.slots import Exit, Slot, SlotError
from schemas.enums import Isolation, Status
from schemas.errors import IsolationError
from schemas.recipe.verify import Verify
from tests.hostile import SQUARES

SQUARE = "def f(x): return x * x"
CALLS = json.dumps({"kind": "calls", "entry_point": "f"})


def _calls(program: str, tests: list | None = None, **spec: object) -> Task:
    verifier = json.dumps({"kind": "calls", "entry_point": "f", **spec})
    return Task(verifier, json.dumps(SQUARES if tests is None else tests), program)


def _asserts(program: str, *codes: str, **spec: object) -> Task:
    verifier = json.dumps({"kind": "asserts", "entry_point": "f", **spec})
    return Task(verifier, json.dumps([{"code": code} for code in codes]), program)


def _only(judge: Judge, task: Task):
    (judgement,) = judge.judge([task])
    return judgement


def test_judgements_come_in_the_order_of_tasks(judge: Judge) -> None:
    """A slow answer does not let a quick one overtake it."""
    slow = "import time\ntime.sleep(0.3)\n" + SQUARE
    judged = judge.judge([_calls(slow), _calls("def f(x): return 0"), _calls(SQUARE)])
    assert [Status.AC, Status.WA, Status.AC] == [judgement.status for judgement in judged]


def test_tasks_are_taken_as_they_are_needed(judge: Judge) -> None:
    """No more than a few tasks per worker are drawn ahead of the judgements asked for."""
    drawn = []

    def tasks():
        for number in range(500):
            drawn.append(number)
            yield _calls(SQUARE)

    next(judge.judge(tasks()))
    assert len(drawn) <= 16 * judge.workers + 1


def test_soft_and_hard_reward(judge: Judge) -> None:
    """Tests passed and all passed are told apart, test by test."""
    judgement = _only(judge, _calls("def f(x): return 4"))
    assert (Status.WA, 1, 2, False) == (judgement.status, judgement.passed, judgement.total, judgement.all_passed)
    assert (Status.AC, Status.WA) == judgement.statuses


@pytest.mark.parametrize(
    ("verifier", "tests", "says"),
    [
        (CALLS, "[]", "no tests"),
        (CALLS, '[{"args": [1]}]', "expects nothing"),
        (CALLS, '[{"args": [1], "expected": 1}, {"args": [1], "expected": 2}]', "contradicts"),
        (CALLS, "{}", "not an array"),
        (CALLS, "not json", "not JSON"),
        ('{"kind": "calls"}', '[{"args": [1], "expected": 1}]', "entry_point"),
        ('{"kind": "stdio"}', '[{"input": "1"}]', "output"),
        ('{"kind": "stdio"}', '[{"input": "1", "output": null}]', "output"),
        ('{"kind": "stdio"}', '[{"input": "1", "output": "1"}, {"input": "1", "output": "2"}]', "contradicts"),
        ('{"kind": "stdio", "compare": "vibes"}', '[{"input": "1", "output": "1"}]', "comparator"),
        ('{"kind": "stdio", "language": "klingon"}', '[{"input": "1", "output": "1"}]', "language"),
        ('{"kind": "math"}', '[{"answer": null}]', "no answer"),
        ('{"kind": "asserts", "entry_point": "f"}', '[{"code": " "}]', "empty"),
        ('{"kind": "asserts", "entry_point": "f"}', '[{"code": "for x in: pass"}]', "does not load"),
        (
            '{"kind": "asserts", "entry_point": "f"}',
            '[{"code": "import os\\nos.write(3, bytes(4))\\nf(1)"}]',
            "channel",
        ),
        ('{"kind": "calls", "entry_point": "f", "time_limit": "soon"}', '[{"args": [1], "expected": 1}]', "time_limit"),
        ('{"kind": "calls", "entry_point": "f", "prelude": 5}', '[{"args": [1], "expected": 1}]', "prelude"),
        ('{"kind": "stdio", "abs_tol": -1}', '[{"input": "1", "output": "0.5"}]', "abs_tol"),
        (CALLS, '[{"args": [NaN], "expected": 1}]', "no word"),
        (CALLS, '[{"args": [%s], "expected": 1}]' % ("[" * 300 + "]" * 300), "nested deeper"),
        ('{"kind": "unheard-of"}', '[{"answer": 1}]', "unheard-of"),
        ("[]", "[]", "kind"),
    ],
)
def test_degenerate_problems_have_no_verdict(judge: Judge, verifier: str, tests: str, says: str) -> None:
    """A problem that cannot tell right from wrong gives XX and a reason, never a reward."""
    judgement = _only(judge, Task(verifier, tests, SQUARE))
    assert (Status.XX, None, None, ()) == (judgement.status, judgement.passed, judgement.total, judgement.statuses)
    assert says in judgement.detail


def test_what_a_program_says_harms_nobody(judge: Judge) -> None:
    """A forged report with a monstrous reason is an error of the program, told in one printable line."""
    forged = """
        import json, os, struct, sys
        def f(x):
            frame = sys._getframe(1)
            while "payload" not in frame.f_locals: frame = frame.f_back
            report = {"t": 0, "nonce": frame.f_locals["payload"]["nonce"], "status": "RE", "detail": DETAIL}
            body = json.dumps(report).encode()
            os.write(3, struct.pack("!I", len(body)) + body)
            os._exit(0)
    """
    details = ('{"!": "int", "v": hex(1 << 200_000)}', "[[[]]]", r"'\ud800\x1b]0;title\x07'")
    judged = judge.judge(_calls(textwrap.dedent(forged).replace("DETAIL", detail)) for detail in details)
    assert [(Status.RE, True)] * 3 == [(judgement.status, judgement.detail.isprintable()) for judgement in judged]


def test_each_status_of_a_function(judge: Judge) -> None:
    """Compile errors, exceptions, wrong values and limits are told apart."""
    programs = {
        "def f(x: return x": Status.CE,
        "def f(x): return x\0": Status.CE,
        "def f(x): return '\ud800'": Status.CE,
        "raise ValueError": Status.RE,
        "def f(x): return 1 / 0": Status.RE,
        "def f(x): return x": Status.WA,
        "def f(x):\n while True: pass": Status.TLE,
        "def f(x): return bytearray(8 << 30)": Status.MLE,
        "def f(x): return 'x' * (17 << 20)": Status.OLE,
        "def g(x): return x": Status.RE,
        SQUARE: Status.AC,
    }
    limits = [1 if status is Status.TLE else 10 for status in programs.values()]
    judged = judge.judge(_calls(program, time_limit=s) for program, s in zip(programs, limits, strict=True))
    assert list(programs.values()) == [judgement.status for judgement in judged]


@pytest.mark.parametrize("fresh", ["program", "test"])
def test_tests_share_a_process_or_not(fresh: str) -> None:
    """With ``state: test`` what one call leaves behind is gone at the next."""
    counter = "n = 0\ndef f(x):\n    global n\n    n += 1\n    return n"
    tests = [{"args": [1], "expected": 1}, {"args": [2], "expected": 1}]
    with Judge(Verify(workers=1, state=fresh)) as judge:
        assert (fresh == "test") is _only(judge, _calls(counter, tests)).all_passed


def test_helpers_of_the_prelude_are_the_testers_own(judge: Judge) -> None:
    """A candidate that redefines a helper of the problem does not change what the tests compute with."""
    prelude = "def poly(xs, x): return sum(c * x ** i for i, c in enumerate(xs))\n"
    suite = "def check(c):\n    for a in (2, 4):\n        assert abs(poly([a, -1], c([a, -1]))) < 1e-4\ncheck(f)"
    forged = "def poly(xs, x): return 0.0\ndef f(xs): return 1000.0"
    right = "def f(xs): return -xs[0] / xs[1]"
    judged = judge.judge([_asserts(forged, suite, prelude=prelude), _asserts(right, suite, prelude=prelude)])
    assert [Status.WA, Status.AC] == [judgement.status for judgement in judged]


def test_work_in_place_is_seen(judge: Judge) -> None:
    """A function that returns None is judged by what it did to its arguments."""
    suite = "x = [3, 1, 2]\nfor _ in range(1): assert f(x) is None\nassert x == [1, 2, 3]"
    judged = judge.judge([_asserts("def f(x): x.sort()", suite), _asserts("def f(x): sorted(x)", suite)])
    assert [Status.AC, Status.WA] == [judgement.status for judgement in judged]


@pytest.mark.parametrize("rung", list(Isolation))
def test_the_whole_standard_library_is_there(judges: dict[Isolation, Judge], rung: Isolation) -> None:
    """At every rung programs find the modules that this interpreter has, seldom used ones too."""
    looking = """
        import sys
        from importlib.util import find_spec
        def f(x): return sorted(n for n in sys.stdlib_module_names if n not in sys.modules and not find_spec(n))
    """
    here: dict = {}
    exec(textwrap.dedent(looking), here)
    judgement = _only(judges[rung], _calls(textwrap.dedent(looking), [{"args": [0], "expected": here["f"](0)}]))
    assert Status.AC is judgement.status, judgement.detail


def test_objects_of_the_prelude_cross(judge: Judge) -> None:
    """Linked nodes go to the candidate and come back, a thousand deep, and no forged equality comes with them."""
    prelude = textwrap.dedent(
        """
        class Node:
            def __init__(self, value, next=None): self.value, self.next = value, next
        def chain(n):
            head = None
            for i in range(n): head = Node(i, head)
            return head
        def values(node):
            out = []
            while node: out.append(node.value); node = node.next
            return out
        """
    )
    suite = "assert values(f(chain(1000))) == list(range(1000))"
    right = (
        "def f(node):\n    last = None\n    while node: node.next, last, node = last, node, node.next\n    return last"
    )
    forged = "class Node:\n    def __eq__(self, o): return True\n    __dict__ = {}\ndef f(node): return Node()"
    judged = judge.judge([_asserts(right, suite, prelude=prelude), _asserts(forged, suite, prelude=prelude)])
    assert [True, False] == [judgement.all_passed for judgement in judged]


def test_exceptions_that_a_suite_expects(judge: Judge) -> None:
    """The candidate's exception reaches the suite under its built-in name."""
    suite = "try:\n    f(0)\nexcept ValueError:\n    pass\nelse:\n    assert False"
    judged = judge.judge(
        [
            _asserts("def f(x): raise ValueError(x)", suite),
            _asserts("def f(x): raise KeyError(x)", suite),
            _asserts("def f(x): return x", suite),
        ]
    )
    assert [Status.AC, Status.RE, Status.WA] == [judgement.status for judgement in judged]


def test_values_without_json_words_keep_their_types(judge: Judge) -> None:
    """Tuples, sets, bytes, counters, iterators arrive in a suite as what they are."""
    suite = (
        "from collections import Counter\nfor _ in range(1):\n"
        " assert f(0) == ((1, 2), {3}, b'x', 1 + 2j, Counter('aab'), {(1, 2): None}, 10**30)\n"
        " assert list(f(1)) == [0, 1, 4]\n assert isinstance(f(0)[1], set)"
    )
    program = (
        "from collections import Counter\ndef f(x):\n"
        "    if x: return (i * i for i in range(3))\n"
        "    return (1, 2), {3}, b'x', 1 + 2j, Counter('aab'), {(1, 2): None}, 10**30"
    )
    assert Status.AC is _only(judge, _asserts(program, suite)).status


def test_checker_programs(judge: Judge) -> None:
    """A checker decides in a sandbox of its own; answers that break it are wrong, a broken checker is a fault."""
    checker = (
        "import json\nq = json.loads(input())\nprint(int(sum(map(int, q['output'].split())) == int(q['expected'])))"
    )
    tests = json.dumps([{"input": "", "output": "10"}])

    def task(program: str, source: str) -> Task:
        return Task(json.dumps({"kind": "stdio", "compare": "checker", "checker": source}), tests, program)

    programs = [task("print(3, 7)", checker), task("print(3, 8)", checker), task("print('junk')", checker)]
    judged = judge.judge([*programs, task("print(3, 7)", "raise SystemExit(1)")])
    assert [Status.AC, Status.WA, Status.WA, Status.XX] == [judgement.status for judgement in judged]


def test_rest_of_a_stdin_problem_after_a_timeout(judge: Judge) -> None:
    """By default the tests after the first timeout are not run and count as not passed."""
    tests = json.dumps([{"input": str(n), "output": str(n)} for n in range(5)])
    judgement = _only(judge, Task('{"kind": "stdio"}', tests, "while True: pass"))
    assert (Status.TLE,) * 5 == judgement.statuses
    assert judgement.cpu_ms < 5 * 1000 * judge.settings.time_limit_s


@pytest.mark.parametrize(
    ("ending", "zero", "whichever"),
    [
        ("raise SystemExit(3)", Status.RE, Status.AC),
        ("1 / 0", Status.RE, Status.AC),
        ("import os; os._exit(7)", Status.RE, Status.RE),
        ("import os; os.abort()", Status.RE, Status.RE),
        ("while True: pass", Status.TLE, Status.TLE),
    ],
)
def test_exit_statuses_count_unless_said_otherwise(ending: str, zero: Status, whichever: Status) -> None:
    """The right output and a failing end is RE; by the policy ``any`` it passes, if it was written out at all."""
    task = Task('{"kind": "stdio"}', '[{"input": "", "output": "1"}]', f"print(1)\n{ending}")
    wrong = replace(task, answer="print(2)\nraise SystemExit(3)")
    for policy, status in (("zero", zero), ("any", whichever)):
        with Judge(Verify(workers=1, time_limit_s=1, exit_status=policy)) as judge:
            assert [status, Status.RE] == [judgement.status for judgement in judge.judge([task, wrong])]


def test_a_fault_is_tried_again(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox that fails once gives the verdict at the second try; one that always fails gives XX."""
    real, failures = Slot.run, [1]

    def flaky(self: Slot, *args: object, **kwargs: object) -> object:
        if failures:
            failures.pop()
            raise SlotError("lost")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Slot, "run", flaky)
    assert Status.AC is _only(judge, _calls(SQUARE)).status
    failures.extend([1] * 10)
    assert Status.XX is _only(judge, _calls(SQUARE)).status


def test_a_program_that_waited_for_its_judge_did_not_sleep() -> None:
    """Running out of time behind a full pipe is the judge's fault, and no verdict."""
    end = Exit(9, "wall", 0.1, 3.0, 10.0, {"stdout": b"x" * 70_000}, backed_up=True)
    with pytest.raises(SlotError, match="keep up"):
        death(end)
    assert Status.ILE is death(replace(end, backed_up=False))[0]


def test_a_program_killed_by_somebody_is_tried_again(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that something outside has killed is not wrong; one that always kills itself is."""
    real, killed = Slot.run, [1]

    def murderous(self: Slot, *args: object, **kwargs: object) -> object:
        ends = real(self, *args, **kwargs)
        if killed:
            killed.pop()
            ends[0].status, ends[0].output = signal.SIGKILL, {"channel": b""}
        return ends

    monkeypatch.setattr(Slot, "run", murderous)
    judged = judge.judge([_asserts(SQUARE, "for _ in [0]: assert f(2) == 4")])
    assert [Status.AC] == [judgement.status for judgement in judged]
    assert Status.RE is _only(judge, _calls("import os\nos.kill(os.getpid(), 9)")).status


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives identities")
def test_no_two_judges_share_an_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judges whose temporary folders differ take different users all the same."""
    one = Home(Isolation.L2)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    other = Home(Isolation.L2)
    try:
        assert set(one.slot()["uids"]).isdisjoint(other.slot()["uids"])
    finally:
        one.remove()
        other.remove()


def test_a_killed_zygote_is_replaced() -> None:
    """When the sandbox's own process dies, the next verdict is as right as the one before."""
    with Judge(Verify(workers=1)) as judge:
        assert Status.AC is _only(judge, _calls(SQUARE)).status
        slot = judge._slots.get()
        slot.process.kill()
        judge._slots.put(slot)
        assert Status.AC is _only(judge, _calls(SQUARE)).status


_BURN, _FILL = "while time.process_time() < 0.6: pass", "time.sleep(0.3); len(b'x' * (200 << 20))"
_TIME, _MEMORY = Verify(workers=1, time_limit_s=0.5), Verify(workers=1, memory_mb=128)


@pytest.mark.parametrize(
    ("kind", "work", "settings", "status"),
    [
        ("calls", _BURN, _TIME, Status.TLE),
        ("asserts", _FILL, _MEMORY, Status.MLE),
        ("stdio", _FILL, _MEMORY, Status.MLE),
    ],
)
def test_what_exceeds_a_limit_is_refused_however_late_it_is_seen(
    kind: str, work: str, settings: Verify, status: Status
) -> None:
    """A program that needs more than its time or memory is not right because its guard was held up meanwhile."""
    tasks = {
        "calls": _calls(f"import time\ndef f(x):\n    {work}\n    return x * x", SQUARES[:1]),
        "asserts": _asserts(f"import time\ndef f(x):\n    {work}\n    return x * x", "for _ in [0]: assert f(2) == 4"),
        "stdio": Task('{"kind": "stdio"}', '[{"input": "", "output": "1"}]', f"import time\n{work}\nprint(1)"),
    }
    with Judge(settings, detect().capped(Isolation.L2)) as judge, ThreadPoolExecutor(1) as pool:
        assert Status.AC is _only(judge, _calls(SQUARE)).status
        slot = judge._slots.get()
        zygote = psutil.Process(slot.process.pid)
        judge._slots.put(slot)
        judgement = pool.submit(_only, judge, tasks[kind])
        while len(running := zygote.children()) < 1 + (kind == "asserts") and not judgement.done():
            time.sleep(0.001)
        zygote.suspend()
        with suppress(psutil.NoSuchProcess):
            while not judgement.done() and not any(process.status() == "zombie" for process in running):
                time.sleep(0.01)
        zygote.resume()
        assert status is judgement.result().status


def test_demanded_isolation_out_of_reach() -> None:
    """A level that this machine does not reach is an error that names what is missing, before anything runs."""
    with pytest.raises(IsolationError, match="L3 is demanded and this machine reaches L2"):
        Judge(Verify(isolation="L3"), detect().capped(Isolation.L2))


def test_limits_alone_are_loud() -> None:
    """Falling to the weakest rung warns."""
    with pytest.warns(UserWarning, match="limits alone"):
        Judge(Verify(), detect().capped(Isolation.L1))


@pytest.mark.skipif(sys.platform != "linux", reason="the call is Linux's")
@pytest.mark.filterwarnings("ignore:judged code")
def test_a_judge_at_the_weakest_rung_hides_its_memory() -> None:
    """Where nothing else parts a program from its judge, its memory cannot be read; afterwards it can again."""
    readable = partial(ctypes.CDLL(None).prctl, 3)
    with Judge(Verify(workers=1), detect().capped(Isolation.L1)):
        assert 0 == readable()
    assert 1 == readable()
