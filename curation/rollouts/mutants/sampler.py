"""The embedded sampler: a policy that knows the reference answer and makes mistakes at a temperature.

Every decision in a program (every place where a mutation operator applies) goes wrong on its own with the same
probability, so that long programs are hard and short ones easy, as they are for a model that errs at a constant
rate per step. Some mutants mean the same as the reference (equivalent mutants cannot be told apart by any test);
they count as correct answers here, and keep the share of mutants killed below 1 even for perfect tests.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from curation.problems import CODE_KINDS, verifier_kind
from curation.rollouts.mutants.answers import steps, wrong, wrong_answers
from curation.rollouts.mutants.programs import Subject
from schemas.ids import digest

__all__ = ["mutants", "respond"]

_ERRORS_PER_PLACE = 0.05
"""Probability of a mistake per decision at temperature 1, to first order."""


def respond(problem: Mapping[str, Any], index: int, temperature: float, seed: int) -> str | None:
    """Return the embedded policy's answer number ``index``: the reference, or it with mistakes.

    Parameters
    ----------
    problem
        Row of the problem contract.
    index
        0-based sample index; equal problem, index, temperature and seed give equal text.
    temperature
        0 always gives the reference.

    Returns
    -------
    str or None
        None if the problem has no reference answer in a language that can be mutated.
    """
    reference = _reference(problem)
    if reference is None:
        return None
    rng = _chance(seed, problem["problem_id"], index)
    rate = -math.expm1(-_ERRORS_PER_PLACE * temperature)
    kind = verifier_kind(problem)
    if kind in CODE_KINDS:
        mutant = _subject(reference, _given_lines(problem, reference)).err(rng, rate)
        return reference if mutant is None else mutant.program
    right = rng.random() < (1 - rate) ** steps(reference)
    return reference if right else wrong(kind, reference, rng)


def mutants(problem: Mapping[str, Any], reference: str, count: int, seed: int) -> list[str]:
    """Return up to ``count`` different answers that are one change away from ``reference``.

    The share of them that a problem's tests refuse is the strength of the tests (mutation score; DeMillo, Lipton &
    Sayward, "Hints on test data selection", 1978).

    Raises
    ------
    ValueError
        If ``count`` is negative.
    """
    kind = verifier_kind(problem)
    rng = _chance(seed, problem["problem_id"], "mutants")
    if kind not in CODE_KINDS:
        return list(wrong_answers(kind, reference))[:count]
    if problem["language"] not in (None, "python"):
        return []
    subject = _subject(reference, _given_lines(problem, reference))
    return [mutant.program for mutant in subject.pick(rng, count)]


@lru_cache(maxsize=64)
def _subject(program: str, given_lines: int) -> Subject:
    return Subject(program, given_lines)


def _chance(seed: int, *parts: str | int) -> random.Random:
    return random.Random(int(digest([seed, *parts]), 16))  # noqa: S311 - reproducible, guards nothing


def _reference(problem: Mapping[str, Any]) -> str | None:
    if verifier_kind(problem) in CODE_KINDS and problem["language"] not in (None, "python"):
        return None
    return next(iter(problem["reference_solutions"] or ()), None)


def _given_lines(problem: Mapping[str, Any], reference: str) -> int:
    """Return how many lines of the reference stood in the problem already."""
    starter = problem["starter_code"] or ""
    return starter.rstrip().count("\n") + 1 if starter.strip() and reference.startswith(starter.rstrip()) else 0
