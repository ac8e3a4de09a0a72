"""The JSON files of rllm: the row's own shape tells functions, programs and answers apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curation.sources.drafts import Draft
from curation.sources.layouts.answers import rllm_math
from curation.sources.layouts.functions import rllm_leetcode
from curation.sources.layouts.programs import rllm_stdio
from schemas.recipe.sources import Source

__all__ = ["rllm"]


def rllm(row: Mapping[str, Any], source: Source) -> Draft:
    """Read a row of any of rllm's files."""
    if "tests" not in row:
        return rllm_math(row, source)
    if isinstance(row["tests"], Mapping) and "functional" in row["tests"]:
        return rllm_leetcode(row, source)
    return rllm_stdio(row, source)
