"""What stages ask of a problem's row: its verifier's kind and settings, its tests, its text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from schemas.enums import VerifierKind
from schemas.ids import statement

__all__ = ["CODE_KINDS", "Problem", "prompt_text", "verifier", "verifier_kind"]

Problem = Mapping[str, Any]
"""A row of the problem contract."""

CODE_KINDS = frozenset({VerifierKind.ASSERTS, VerifierKind.CALLS, VerifierKind.STDIO})
"""Kinds whose answers are programs."""


def verifier(problem: Problem) -> dict[str, Any]:
    """Return the verifier's settings."""
    return json.loads(problem["verifier"])


def verifier_kind(problem: Problem) -> str:
    """Return the verifier's kind."""
    return verifier(problem)["kind"]


def prompt_text(problem: Problem) -> str:
    """Return the problem as one text to be continued: its statement, then its starter code if not yet in it."""
    text, starter = statement(problem["prompt"]), problem["starter_code"] or ""
    return text if text.endswith(starter) else f"{text}\n\n{starter}"
