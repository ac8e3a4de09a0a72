"""Cached verdicts: each program judged once, faults never remembered, executors no different from this process."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from curation import judging
from curation.judging import CachedJudge, judge_all
from curation.verify import Judge, Judgement, Task
from schemas.enums import Status
from schemas.recipe.verify import Verify
from tests.curation.code_problems import asserted, called, stream
from tests.tables import problem
from warehouse.engines import SparkEngine
from warehouse.stages import Services, Workspace

_SETTINGS = Verify(workers=1)


def _tasks(made: dict[str, Any], *answers: str) -> list[Task]:
    return [Task(made["verifier"], made["tests"], answer) for answer in answers]


def _mixed() -> list[Task]:
    problems = [asserted(1), called(2), stream(3), problem(4)]
    return [
        task
        for made in problems
        for task in _tasks(made, made["reference_solutions"][0], "wrong = [", "raise KeyError")
    ]


def _stable(judgements: Iterable[Judgement]) -> list[Judgement]:
    return [replace(found, cpu_ms=0.0, wall_ms=0.0) for found in judgements]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """The tasks that reached the sandbox, in order; the sandbox itself is the real one."""
    seen: list[Task] = []

    class Recording(Judge):
        def judge(self, tasks: Iterable[Task]) -> Iterator[Judgement]:
            given = list(tasks)
            seen.extend(given)
            return super().judge(given)

    monkeypatch.setattr(judging, "Judge", Recording)
    return seen


def test_verdicts_are_the_judges_own(services: Services) -> None:
    """Through the cache or not, fresh or remembered: the same judgements in the same order."""
    tasks = _mixed()
    with Judge(_SETTINGS) as judge:
        expected = _stable(judge.judge(tasks))

    fresh = list(judge_all(tasks, _SETTINGS, services))
    remembered = list(judge_all(tasks, _SETTINGS, services))

    assert expected == _stable(fresh)
    assert fresh == remembered
    assert {"AC", "RE", "WA", "CE"} >= {found.status.value for found in fresh} > {"AC"}


def test_equal_programs_are_judged_once(services: Services, judged: list[Task]) -> None:
    """Twins cost nothing, within a batch, across batches and across runs."""
    tasks = _mixed()

    first = list(judge_all(tasks * 3, _SETTINGS, services))
    again = list(judge_all(iter(reversed(tasks)), _SETTINGS, services))

    assert len(tasks) == len(judged)
    assert first[: len(tasks)] == again[::-1] == first[-len(tasks) :]


def test_a_verdict_depends_on_limits_but_not_on_workers(services: Services, judged: list[Task]) -> None:
    """Another time limit asks anew; another number of workers does not."""
    (task,) = _tasks(asserted(1), "def clamp(*_): return 1")
    settings = [_SETTINGS, Verify(workers=2, fault_retries=0), Verify(workers=1, time_limit_s=4)]

    for each in settings:
        list(judge_all([task], each, services))

    assert 2 == len(judged)


def test_another_trial_is_another_verdict(services: Services, judged: list[Task]) -> None:
    """A second trial runs the program again, once."""
    tasks = _tasks(asserted(1), "def clamp(*_): return 1")
    with CachedJudge(_SETTINGS, services) as judge:
        found = [list(judge.judge(tasks, trial)) for trial in (0, 1, 0, 1)]

    assert 2 == len(judged)
    assert _stable(found[0]) == _stable(found[1])


def test_faults_are_never_remembered(services: Services, judged: list[Task]) -> None:
    """A problem that no answer can be judged by gives XX, every time anew."""
    tasks = [Task('{"kind":"stdio"}', "[]", "print(1)"), *_tasks(stream(1), "print(1)")]

    found = [list(judge_all(tasks, _SETTINGS, services)) for _ in range(2)]

    assert [Status.XX, Status.WA] == [each.status for each in found[1]]
    assert [tasks[0], tasks[1], tasks[0]] == judged


def test_a_verdict_cut_short_is_judged_again(services: Services, judged: list[Task]) -> None:
    """An entry of the cache that is no verdict any more is replaced; the others are kept."""
    tasks = _tasks(stream(1), "print(1)", "print(2)")
    first = _stable(judge_all(tasks, _SETTINGS, services))
    with sqlite3.connect(services.workspace.root / "cache" / "verdicts.sqlite") as cache:
        cache.execute("UPDATE cache SET value = substr(value, 1, 20) WHERE rowid = 1")
    cache.close()

    assert first == _stable(judge_all(tasks, _SETTINGS, services)) == _stable(judge_all(tasks, _SETTINGS, services))
    assert 3 == len(judged)


def test_a_kill_costs_at_most_a_batch(
    services: Services,
    judged: list[Task],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Verdicts are stored batch by batch: stopping in the middle loses only what was in hand."""
    monkeypatch.setattr(judging, "_BATCH", 4)
    tasks = _tasks(stream(1), *(f"print({n})" for n in range(12)))

    assert 5 == len(list(itertools.islice(judge_all(tasks, _SETTINGS, services), 5)))
    assert 12 == len(list(judge_all(tasks, _SETTINGS, services)))

    assert 12 == len(judged)


def test_with_everything_remembered_no_sandbox_starts(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """A re-run needs no sandbox at all."""
    first = list(judge_all(_mixed(), _SETTINGS, services))

    def refuse(*_: object) -> None:
        raise AssertionError("a sandbox was started")

    monkeypatch.setattr(judging, "Judge", refuse)

    assert first == list(judge_all(_mixed(), _SETTINGS, services))


def test_executors_give_the_same(
    services: Services,
    workspace: Workspace,
    spark: SparkEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Judged on Spark executors in chunks, stored here: the same verdicts, in order, and remembered."""
    monkeypatch.setattr(judging, "_CHUNK", 6)
    tasks = _mixed()
    elsewhere = Services(Workspace(workspace.root / "other"), engine=spark)

    here = _stable(judge_all(tasks, _SETTINGS, services))
    there = list(judge_all(tasks, _SETTINGS, elsewhere))

    assert here == _stable(there)
    assert there == list(judge_all(tasks, _SETTINGS, Services(elsewhere.workspace)))


def test_progress_is_told(workspace: Workspace) -> None:
    """The bar knows its length, moves with each program, and ends with a line of result."""
    told: list[Any] = []

    class Told:
        def start(self, task: str, total: int | None = None, unit: str = "rows") -> None:
            told.append((task, total, unit))

        def advance(self, task: str, done: int = 1, **figures: float) -> None:
            told.append((task, done, json.dumps(figures)))

        def finish(self, task: str, summary: str = "") -> None:
            told.append((task, summary))

        def note(self, text: str) -> None:
            told.append(text)

    tasks = _tasks(problem(1), "2", "3")
    list(judge_all(tasks, _SETTINGS, Services(workspace, progress=Told())))

    assert [
        ("verify", 2, "programs"),
        ("verify", 1, '{"passed": 1}'),
        ("verify", 1, '{"passed": 1}'),
        ("verify", "1 of 2 passed"),
    ] == told
