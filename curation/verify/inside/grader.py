"""The grader's side: mathematical equality by math-verify, and graders of other packages."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .frames import write_frame
from .remote import describe

__all__ = ["run_grader", "same"]


def run_grader(payload: dict[str, Any], channel: int) -> None:
    """Judge every item and report each under its index."""
    for index, item in enumerate(payload["items"]):
        write_frame(channel, {"t": index, **_report(item)})


def _report(item: dict[str, Any]) -> dict[str, Any]:
    if "grader" in item:
        module, _, name = item["grader"].partition(":")
        try:
            return {"same": bool(getattr(import_module(module), name)(item["spec"], item["test"], item["answer"]))}
        except Exception as error:  # noqa: BLE001 - somebody else's code
            return {"fault": f"the grader failed: {describe(error)}"}
    try:
        return {"same": same(item["right"], item["given"])}
    except Exception as error:  # noqa: BLE001 - what cannot be parsed is not the answer
        return {"same": False, "detail": describe(error)}


def same(right: str, given: str) -> bool:
    """Tell whether two answers are mathematically equal."""
    import logging

    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

    logging.disable(logging.CRITICAL)
    configs = [LatexExtractionConfig(), ExprExtractionConfig()]
    gold = parse(right, extraction_config=configs, parsing_timeout=None)
    answer = parse(given, extraction_config=configs, parsing_timeout=None)
    return bool(gold) and bool(answer) and bool(verify(gold, answer, timeout_seconds=None))
