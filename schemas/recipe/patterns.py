"""Regular expressions in recipes: those of polars, checked where they are written."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

__all__ = ["Pattern"]


def _compiles(pattern: str) -> str:
    import polars as pl

    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.ComputeError as error:
        told = " ".join(line.strip() for line in str(error).splitlines() if line.strip(" ^"))
        raise ValueError(f"{pattern!r} is no regular expression in Rust syntax: {told}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]
"""A regular expression in Rust syntax (https://docs.rs/regex)."""
