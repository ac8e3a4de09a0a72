"""Closed vocabularies: every value that a column, a recipe or a report may hold."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Isolation", "Polarity", "Status", "Verdict", "VerifierKind"]


class Status(StrEnum):
    """What a judge says of one program (or one test of it)."""

    AC = "AC"
    """Accepted: every test gave positive evidence."""
    WA = "WA"
    """Wrong answer."""
    TLE = "TLE"
    """CPU time limit exceeded."""
    ILE = "ILE"
    """Idleness limit exceeded: wall time ran out while the CPU slept."""
    MLE = "MLE"
    """Memory limit exceeded."""
    OLE = "OLE"
    """Output limit exceeded."""
    RE = "RE"
    """Runtime error: exception, signal or non-zero exit."""
    CE = "CE"
    """Compile error, or no program in the response."""
    XX = "XX"
    """A fault of the sandbox: evidence of nothing, never a reward."""


class Isolation(StrEnum):
    """Rungs of the isolation ladder, weakest first; they compare as their names do."""

    L1 = "L1"
    """Resource limits and a fresh process."""
    L2 = "L2"
    """L1 + seccomp + Landlock (+ an identity per slot when root)."""
    L3 = "L3"
    """L2 + namespaces (mount, pid, net, ipc, uts)."""


class Verdict(StrEnum):
    """What a stage says of one record."""

    DROP = "drop"
    """Out of the dataset, for the stated reason."""
    FAIL = "fail"
    """The stage could not judge the record (sandbox fault, unreadable value); it is set aside, not judged bad."""
    FLAG = "flag"
    """Kept, with a remark that a person should see."""
    KEEP = "keep"
    """Kept, with the evidence worth recording."""


class Polarity(StrEnum):
    """Which way a source's difficulty label points."""

    HIGHER_IS_HARDER = "higher_is_harder"
    HIGHER_IS_EASIER = "higher_is_easier"
    UNORDERED = "unordered"


class VerifierKind(StrEnum):
    """How the answer to a problem is checked; ``docs/architecture.md`` gives the settings and tests of each."""

    ASSERTS = "asserts"
    """Assert statements or a ``check(candidate)`` suite run against a function of the candidate."""
    CALLS = "calls"
    """Recorded calls: JSON arguments in, JSON value out."""
    STDIO = "stdio"
    """A whole program: text on standard input, text on standard output."""
    MATH = "math"
    """A mathematical expression, compared symbolically."""
    CHOICE = "choice"
    """One letter of a multiple choice."""
    EXACT = "exact"
    """A string, compared exactly after trimming."""
    JSON = "json"
    """A JSON value, compared by type and value."""
