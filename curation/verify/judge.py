"""The judge: answers in, judgements out, in order, on as many sandboxes as there are cores."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from queue import SimpleQueue
from typing import Any, Self

from curation.verify.answers import judge_answers
from curation.verify.functions import KILLED, judge_asserts, judge_calls
from curation.verify.home import Home
from curation.verify.inside.kernel import HIDE_MEMORY, SHOW_MEMORY, make
from curation.verify.judgement import Judgement, Task, fault
from curation.verify.ladder import Report, detect
from curation.verify.plugins import graders
from curation.verify.problems import InvalidProblemError, Problem, parse
from curation.verify.programs import judge_stdio
from curation.verify.slots import Slot, SlotError
from schemas.enums import Isolation, Status, VerifierKind
from schemas.recipe.verify import Verify

__all__ = ["Judge"]

_LOOK_AHEAD = 16
_BATCH = 32
_Item = tuple[Problem | InvalidProblemError, str]
_Judging = Callable[[Slot, Problem, str, Verify, Isolation], Judgement]
_BY_KIND: dict[str, _Judging] = {
    VerifierKind.ASSERTS: judge_asserts,
    VerifierKind.CALLS: judge_calls,
    VerifierKind.STDIO: judge_stdio,
}


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Judge:
    """Judges answers in sandboxes.

    Parameters
    ----------
    settings
        Limits and the weakest isolation that will do.
    report
        What this machine allows; found out if None.

    Raises
    ------
    IsolationError
        If this machine cannot isolate as strongly as the settings demand.

    Examples
    --------
    >>> from schemas.recipe.verify import Verify
    >>> task = Task('{"kind":"calls","entry_point":"f"}', '[{"args":[2],"expected":4}]', "def f(x): return x * x")
    >>> with Judge(Verify(workers=1)) as judge:
    ...     [judgement.status.value for judgement in judge.judge([task])]
    ['AC']
    """

    def __init__(self, settings: Verify | None = None, report: Report | None = None) -> None:
        self.settings = settings or Verify()
        self.report = report or detect()
        self.isolation = self.report.choose(self.settings.isolation)
        self.workers = self.settings.workers or available_cores()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._home = Home(self.isolation)
            opened.callback(self._home.remove)
            if self.isolation is Isolation.L1 and sys.platform == "linux":
                make([HIDE_MEMORY])
                opened.callback(make, [SHOW_MEMORY])
            self._home.provide()
            modules = ["math_verify", *sorted({target.partition(":")[0] for target in graders().values()})]
            packages = tuple(module.partition(".")[0] for module in modules)
            self._slots = self._opened(opened, partial(self._home.slot, self.settings.packages))
            self._grading = self._opened(opened, partial(self._home.slot, packages, preload=modules, warm="grader"))
            self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="judge")
            opened.callback(self._pool.shutdown, cancel_futures=True)
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _opened(self, opened: ExitStack, provide: Callable[[], dict[str, Any]]) -> SimpleQueue[Slot]:
        """Return a slot per worker; a zygote starts when its slot is first used."""
        free: SimpleQueue[Slot] = SimpleQueue()
        for _ in range(self.workers):
            free.put(opened.enter_context(closing(Slot(provide))))
        return free

    def judge(self, tasks: Iterable[Task]) -> Iterator[Judgement]:
        """Judge answers one by one, yielding in the order they came; at most a few per worker are held at a time."""
        pending: deque[Future[list[Judgement]]] = deque()
        try:
            for batch in _batches(tasks):
                pending.append(self._pool.submit(self._batch, batch))
                if len(pending) >= self.workers * _LOOK_AHEAD:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def _batch(self, batch: list[_Item]) -> list[Judgement]:
        problem, answer = batch[0]
        if isinstance(problem, InvalidProblemError):
            return [fault(f"invalid problem: {problem}", self.isolation)]
        if problem.kind in _BY_KIND:
            with self._borrowed(self._slots) as slot:
                judging = _BY_KIND[problem.kind]
                return [self._retried(lambda: judging(slot, problem, answer, self.settings, self.isolation))]
        with self._borrowed(self._grading) as slot:
            try:
                return self._graded(slot, batch)
            except Exception:  # noqa: BLE001 - one by one, the answer that the judge cannot bear costs no other its verdict
                return [self._retried(lambda one=one: self._graded(slot, [one])[0]) for one in batch]

    def _graded(self, slot: Slot, batch: list[_Item]) -> list[Judgement]:
        problems, answers = zip(*batch, strict=True)
        return judge_answers(slot, problems, answers, self.settings, self.isolation)

    @staticmethod
    @contextmanager
    def _borrowed(free: SimpleQueue[Slot]) -> Iterator[Slot]:
        slot = free.get()
        try:
            yield slot
        finally:
            free.put(slot)

    def _retried(self, judging: Callable[[], Judgement]) -> Judgement:
        """Judge again what the sandbox failed on, and once what slept on a loaded machine or was killed by somebody."""
        faults, slept, killed = 0, False, False
        while True:
            try:
                judgement = judging()
            except InvalidProblemError as error:
                return fault(f"invalid problem: {error}", self.isolation)
            except SlotError as error:
                judgement = fault(str(error), self.isolation)
                faults += 1
                if faults <= self.settings.fault_retries:
                    continue
            except Exception as error:  # noqa: BLE001 - one problem that the judge cannot bear must not end a run
                return fault(f"the judge failed: {type(error).__name__}: {error}", self.isolation)
            if Status.ILE in judgement.statuses and not slept and os.getloadavg()[0] > self.workers:
                slept = True
                continue
            if KILLED in judgement.detail and not killed:
                killed = True
                continue
            return judgement


def _batches(tasks: Iterable[Task]) -> Iterator[list[_Item]]:
    """Parse tasks, and put neighbours that are short answers together."""
    batch: list[_Item] = []
    for task in tasks:
        item = (_parsed(task), task.answer)
        short = isinstance(item[0], Problem) and item[0].kind not in _BY_KIND
        if batch and (not short or len(batch) == _BATCH):
            yield batch
            batch = []
        if short:
            batch.append(item)
        else:
            yield [item]
    if batch:
        yield batch


def _parsed(task: Task) -> Problem | InvalidProblemError:
    try:
        return parse(task.verifier, task.tests)
    except InvalidProblemError as error:
        return error
