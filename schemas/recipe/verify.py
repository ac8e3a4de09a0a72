"""The section ``verify`` of a recipe: how answers are judged, and how strongly judged code must be isolated."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.enums import Isolation
from schemas.recipe.base import Section

__all__ = ["Verify"]


class Verify(Section):
    """Limits and isolation of judged programs."""

    isolation: Literal["auto"] | Isolation = "auto"
    """Weakest rung that will do: auto takes the strongest this machine allows; a rung out of reach is an error."""
    time_limit_s: float = Field(5.0, gt=0, le=3600)
    """CPU seconds per program, or per test of a stdin program; a problem may bring its own."""
    wall_factor: float = Field(3.0, ge=1)
    """Wall time may be this many times the CPU limit, and at least two seconds more, before a sleeper is stopped."""
    compile_limit_s: float = Field(60.0, gt=0)
    """CPU seconds for compiling one program."""
    memory_mb: int = Field(512, ge=64)
    """Resident memory per program, in MiB; a problem may bring its own."""
    output_mb: float = Field(16.0, gt=0, le=256)
    """Largest output of one test, in MiB."""
    state: Literal["program", "test"] = "program"
    """Function tests share one process per program, or each test gets a fresh one (slower)."""
    workers: int | None = Field(None, ge=1)
    """Programs judged at a time; by default one per core."""
    stop: Literal["never", "timeout", "failure"] = "timeout"
    """After which test of a stdin program the rest is skipped and counts as not passed: none, the first that runs out
    of time, or the first that fails."""
    exit_status: Literal["zero", "any"] = "zero"
    """Whether a whole program that printed what is right may leave with another exit status than zero: with ``zero`` it
    has failed (RE), with ``any`` it passes; what ended by a signal or a limit has failed either way."""
    fault_retries: int = Field(2, ge=0)
    """How often a fault of the sandbox is tried again before the verdict is XX."""
    packages: tuple[str, ...] = ("numpy",)
    """Installed packages that judged Python may import, with what they require, besides the standard library."""
