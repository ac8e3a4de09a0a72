"""Recorded answers: tables of samples, indexed on disk and replayed problem by problem."""

from __future__ import annotations

import itertools
import re
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from curation.problems import Problem, prompt_text, verifier
from curation.rollouts.clients.layouts import Answer, answers
from curation.rollouts.requests import ALL, Request, Sample
from schemas.errors import InputError
from schemas.ids import normalise_text, statement
from schemas.recipe.rollouts import Recorded
from warehouse.fingerprint import input_sha256

__all__ = ["RecordedClient"]

_BATCH = 5_000
_WORD = re.compile(r"\w+")
_SAME_PROMPT = 0.9
"""Share of a recorded prompt's words that the problem it was made for must hold: examples may be cut, little else."""


class RecordedClient:
    """Replays the answers of a table.

    Parameters
    ----------
    scratch
        Existing folder for the index of the table.

    Raises
    ------
    InputError
        If the file is missing, unreadable, not as its layout says, or not the one that was planned with.
    """

    paid = False
    per_request = ALL

    def __init__(self, policy: Recorded, scratch: Path) -> None:
        self.policy = policy
        path = policy.location or Path(policy.path)
        if policy.sha256 is not None and input_sha256(path) != policy.sha256:
            raise InputError(
                f"recorded answers {policy.path!r} changed since the run was planned.",
                hint="run again: the plan takes the new content in.",
            )
        self._index = sqlite3.connect(Path(tempfile.mkdtemp(dir=scratch)) / "answers.sqlite")
        self._index.execute("PRAGMA journal_mode=OFF")
        self._index.execute(
            "CREATE TABLE answer (key TEXT, prompt TEXT, idx INTEGER, text TEXT, finish TEXT, tokens INTEGER)"
        )
        self._fill(answers(path, policy))

    def _fill(self, found: Iterator[Answer]) -> None:
        rows = ((a.key, a.prompt, a.index, a.text, a.finish_reason, a.tokens) for a in found)
        count = 0
        while chunk := list(itertools.islice(rows, _BATCH)):
            self._index.executemany("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?)", chunk)
            count += len(chunk)
        if not count:
            raise InputError(
                f"recorded answers {self.policy.path!r} hold no answer in the layout {self.policy.layout!r}.",
                hint="check `layout`, `columns` and `model`.",
            )
        self._index.execute("CREATE INDEX by_key ON answer (key)")

    def identity(self, problem: Problem) -> Any:
        """Return the problem's id: what the table names it by need not be unique."""
        return [self.policy.layout, self.policy.model, problem["problem_id"]]

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[Request, list[Sample]]]:
        """Yield the requests in order; a problem that the table does not know gets no answers."""
        for request in requests:
            yield request, self._samples(request.problem)[request.first : request.first + request.count]

    def _samples(self, problem: Problem) -> list[Sample]:
        query = "SELECT prompt, text, finish, tokens FROM answer WHERE key = ? ORDER BY idx, text, finish, tokens"
        rows = self._index.execute(query, [self._key(problem)]).fetchall()
        if self.policy.layout == "codet":
            prompt = _closest({row[0] for row in rows}, prompt_text(problem))
            rows = [row for row in rows if row[0] == prompt]
        return [Sample(text, finish, tokens) for _, text, finish, tokens in rows]

    def _key(self, problem: Problem) -> str:
        if self.policy.layout == "codet":
            return verifier(problem).get("entry_point", "")
        if self.policy.layout == "gsm8k_solutions" or self.policy.match == "statement":
            return normalise_text(statement(problem["prompt"]))
        return problem[self.policy.match]

    def close(self) -> None:
        """Close the index."""
        self._index.close()


def _closest(prompts: set[str], text: str) -> str | None:
    """Return the recorded prompt that ``text`` holds best, if any: entry points are not unique."""
    held = {prompt: (_share(_lines(prompt), _lines(text)), _share(_words(prompt), _words(text))) for prompt in prompts}
    best = max(sorted(held), key=held.__getitem__, default=None)
    return best if best is not None and held[best][1] >= _SAME_PROMPT else None


def _share(part: set[str], whole: set[str]) -> float:
    return len(part & whole) / len(part) if part else 0.0


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text))


def _lines(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines() if line.strip()}
