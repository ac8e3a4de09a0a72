"""Verdicts, each paid for once: a cache by content in front of the judge, in this process or on executors."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import lru_cache, partial
from typing import Self

from curation.verify import VERIFIER_VERSION, Judge, Judgement, Task
from schemas.enums import Isolation, Status
from schemas.ids import canonical_json, digest
from schemas.recipe.verify import Verify
from warehouse.stages import Services

__all__ = ["CachedJudge", "judge_all"]

_BATCH = 512
"""Verdicts stored together: what a kill can cost."""
_NO_MATTER = {"workers", "fault_retries"}
"""Settings that no verdict depends on."""
_CHUNK = 128
"""Programs that an executor judges with one judge."""


class CachedJudge:
    """A judge that remembers.

    A verdict is named by verifier, tests, answer, the version of the verdict interface and the limits; equal
    programs are judged once. Faults of the sandbox are never remembered. The sandbox starts at the first program
    that has no verdict yet.

    Parameters
    ----------
    settings
        How programs are judged.
    services
        Workspace of the cache; engine that judges, where it is not this process.

    Examples
    --------
    ::

        with CachedJudge(settings, services) as judge:
            for judgement in judge.judge(tasks):
                ...
    """

    def __init__(self, settings: Verify, services: Services) -> None:
        self.settings = settings
        self.services = services
        self._cache = services.workspace.cache("verdicts")
        self._named = digest([VERIFIER_VERSION, settings.model_dump(mode="json", exclude=_NO_MATTER)])
        self._open = ExitStack()
        self._judge: Judge | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def judge(self, tasks: Iterable[Task], trial: int = 0) -> Iterator[Judgement]:
        """Yield the judgement on each task, in order.

        Parameters
        ----------
        trial
            Another number asks for a verdict of its own, to see whether it is the same.

        Raises
        ------
        IsolationError
            If this machine cannot isolate programs as the settings demand.
        """
        tasks = iter(tasks)
        while batch := list(itertools.islice(tasks, _BATCH)):
            yield from self._batch(batch, trial)

    def _batch(self, tasks: Sequence[Task], trial: int) -> list[Judgement]:
        keys = [self._key(task, trial) for task in tasks]
        known = self._cache.read(keys, _decoded)
        missing = {key: task for key, task in zip(keys, tasks, strict=True) if key not in known}
        found = dict(zip(missing, self._judged(list(missing.values())), strict=True))
        self._cache.put((key, _encoded(new)) for key, new in found.items() if new.status is not Status.XX)
        known |= found
        return [known[key] for key in keys]

    def _judged(self, tasks: list[Task]) -> Iterator[Judgement]:
        engine = self.services.engine
        if not tasks:
            return iter(())
        if engine is not None and engine.name != "local":
            return engine.map_chunks(partial(_judge_chunk, self.settings), tasks, _CHUNK)
        if self._judge is None:
            self._judge = self._open.enter_context(Judge(self.settings))
        return iter(self._judge.judge(tasks))

    def _key(self, task: Task, trial: int) -> str:
        return digest([self._named, _suite(task.verifier, task.tests), task.answer, trial])


def judge_all(tasks: Iterable[Task], settings: Verify, services: Services) -> Iterator[Judgement]:
    """Yield the judgement on each task, in order, telling progress.

    Parameters
    ----------
    tasks
        Programs and answers to judge; read as needed, never all at once.
    settings
        How they are judged.
    services
        Where verdicts are remembered, where judging runs, and who is told.

    Raises
    ------
    IsolationError
        If this machine cannot isolate programs as the settings demand.
    """
    total = len(tasks) if isinstance(tasks, Sequence) else None
    services.progress.start("verify", total, "programs")
    done = passed = 0
    with CachedJudge(settings, services) as judge:
        for judgement in judge.judge(tasks):
            done += 1
            passed += judgement.status is Status.AC
            services.progress.advance("verify", 1, passed=passed)
            yield judgement
    services.progress.finish("verify", f"{passed} of {done} passed")


def _judge_chunk(settings: Verify, tasks: list[Task]) -> list[Judgement]:
    """Judge on an executor, which has one core to itself unless the settings know better."""
    alone = settings.model_copy(update={"workers": settings.workers or 1})
    with Judge(alone) as judge:
        return list(judge.judge(tasks))


@lru_cache(maxsize=16)
def _suite(verifier: str, tests: str) -> str:
    return digest([verifier, tests])


def _encoded(judgement: Judgement) -> str:
    return canonical_json(asdict(judgement))


def _decoded(text: str) -> Judgement:
    saved = json.loads(text)
    statuses = tuple(Status(status) for status in saved.pop("statuses"))
    status, isolation = Status(saved.pop("status")), Isolation(saved.pop("isolation"))
    return Judgement(status=status, statuses=statuses, isolation=isolation, **saved)
