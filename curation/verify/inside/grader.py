"""The grader's side: mathematical equality by math-verify, one frame per pair, hang or not."""

from __future__ import annotations

from typing import Any

from .candidate import describe
from .frames import write_frame

__all__ = ["run_grader", "same"]


def run_grader(payload: dict[str, Any], channel: int) -> None:
    """Compare every pair of right and given answer, and report each under its index."""
    for index, (right, given) in enumerate(payload["pairs"]):
        try:
            report: dict[str, Any] = {"t": index, "same": same(right, given)}
        except Exception as error:  # noqa: BLE001
            report = {"t": index, "same": False, "detail": describe(error)}
        write_frame(channel, report)


def same(right: str, given: str) -> bool:
    """Tell whether two answers are mathematically equal."""
    import logging

    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

    logging.disable(logging.CRITICAL)
    configs = [LatexExtractionConfig(), ExprExtractionConfig()]
    gold = parse(right, extraction_config=configs, parsing_timeout=None)
    answer = parse(given, extraction_config=configs, parsing_timeout=None)
    return bool(gold) and bool(answer) and bool(verify(gold, answer, timeout_seconds=None))
