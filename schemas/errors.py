"""Every error that a person can meet, with its exit code.

::

    SluiceError                    1  unexpected: please report it
    ├── UsageError                 2  the request itself is wrong
    │   ├── RecipeError            2  a recipe does not say what it must
    │   └── PolicyChanged          2  a policy's content is not what its hash names
    ├── InputError                 3  something named cannot be read, or holds nothing usable
    │   ├── Unreadable             3  a file of a lake was a table when it was scanned, and is none now
    │   ├── SchemaDrift            3  data do not have the columns and types that a policy was made for
    │   └── FreeTextRefused        3  a column holds free text that may tell anything of a person
    ├── GateFailed                 4  the audit ran and found bad data; nothing was published
    ├── GateBroken                 5  the audit itself could not run; nothing was published
    ├── WarehouseError             6  the warehouse is unreadable, read-only, full or corrupt
    ├── PublishConflict            7  somebody else published first and the re-audit is yours to repeat
    ├── MissingExtra               8  an optional part is not installed
    ├── IsolationError             9  this machine cannot isolate judged code as the recipe demands
    ├── ModelError                10  a model endpoint died, timed out or answered garbage
    ├── ExportRefused             11  the trainer would not read these rows as published
    └── StageError                12  a stage could not account for every row it was given

Exit code 0 means done; 130 means interrupted; 141 that whoever read the output stopped before its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar

__all__ = [
    "ExportRefused",
    "FreeTextRefused",
    "GateBroken",
    "GateFailed",
    "InputError",
    "IsolationError",
    "MissingExtra",
    "ModelError",
    "PolicyChanged",
    "PublishConflict",
    "RecipeError",
    "SchemaDrift",
    "SluiceError",
    "StageError",
    "Unreadable",
    "UsageError",
    "WarehouseError",
    "did_you_mean",
    "nearest",
]


class SluiceError(Exception):
    """Base of all errors that Sluice raises on purpose.

    Parameters
    ----------
    message
        What was received and what is allowed, in one or two sentences.
    hint
        What the person can do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(message if hint is None else f"{message}\n\nHint: {hint}")


class UsageError(SluiceError):
    """The request itself is wrong: a bad option, an unknown name."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe is not valid.

    Parameters
    ----------
    problems
        One line per fault, each naming the place (``file:line: key``) and what is allowed there.
    """

    def __init__(self, problems: Iterable[str], *, hint: str | None = None) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems), hint=hint)


class PolicyChanged(UsageError):
    """A minimization policy was changed after it was hashed, or never hashed.

    Parameters
    ----------
    path
        The policy's file.
    stated
        The hash in the file, if any.
    found
        The hash of its content.
    """

    def __init__(self, path: str, stated: str | None, found: str) -> None:
        self.path, self.stated, self.found = path, stated, found
        super().__init__(
            f"policy {path!r} says sha256 {stated or 'nothing'}, and its content has {found}.",
            hint="if the change is meant, `sluice minimize revise FILE --of OLD --out NEW` checks and hashes it anew.",
        )


class InputError(SluiceError):
    """A named input is missing, unreadable, or holds nothing usable."""

    exit_code = 3


class Unreadable(InputError):
    """A file of a table turned out not to be readable after its lake was scanned.

    Parameters
    ----------
    table, file
        Their names in the lake.
    reason, detail
        Code of the fault, and what was found.
    """

    def __init__(self, table: str, file: str, reason: str, detail: str) -> None:
        self.table, self.file, self.reason, self.detail = table, file, reason, detail
        super().__init__(
            f"{table}: {file} cannot be read any more: {reason}: {detail}.",
            hint="it looked readable when the lake was scanned; scan again.",
        )

    def __reduce__(self) -> tuple[type[Unreadable], tuple[str, str, str, str]]:
        return Unreadable, (self.table, self.file, self.reason, self.detail)


class SchemaDrift(InputError):
    """Data differ in columns or types from what a minimization policy was made for.

    Parameters
    ----------
    place
        File, with the row where one is to blame.
    faults
        One line per difference.
    """

    def __init__(self, place: str, faults: Iterable[str]) -> None:
        self.place, self.faults = place, tuple(faults)
        super().__init__(
            "\n".join(f"{place}: {fault}" for fault in self.faults),
            hint="bring the data back to the policy's columns and types, or make a new version of the policy.",
        )


class FreeTextRefused(InputError):
    """A column holds free text, in which personal data cannot be ruled out.

    Parameters
    ----------
    findings
        One line per column: what was found in it, or that nothing could look.
    """

    def __init__(self, findings: Iterable[str], *, hint: str) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(self.findings), hint=hint)


class GateFailed(SluiceError):
    """The audit ran and found bad data; readers still see the old version."""

    exit_code = 4


class GateBroken(SluiceError):
    """The audit itself could not run, which says nothing about the data."""

    exit_code = 5


class WarehouseError(SluiceError):
    """The warehouse is unreadable, read-only, full or corrupt."""

    exit_code = 6


class PublishConflict(SluiceError):
    """Another writer published to the same dataset since this run branched off."""

    exit_code = 7


class MissingExtra(SluiceError):
    """An optional part of Sluice is needed and not installed.

    Parameters
    ----------
    package
        The import name that failed.
    extra
        The extra that brings it.
    """

    exit_code = 8

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{package!r} is not installed.",
            hint=f"pip install 'sluice[{extra}]' brings it.",
        )


class IsolationError(SluiceError):
    """Judged code cannot be isolated here as strongly as was asked."""

    exit_code = 9


class ModelError(SluiceError):
    """A model endpoint died, timed out or answered something that is not a completion."""

    exit_code = 10


class ExportRefused(SluiceError):
    """The target trainer would drop, truncate or change some of these rows."""

    exit_code = 11


class StageError(SluiceError):
    """A stage lost rows or could not say why a row went."""

    exit_code = 12


def did_you_mean(word: str, allowed: Iterable[str]) -> str | None:
    """Return the hint that names the allowed word closest to ``word``, or None if none is close.

    Examples
    --------
    >>> did_you_mean("treshold", ["threshold", "rules"])
    "did you mean 'threshold'?"
    """
    close = nearest(word, allowed)
    return f"did you mean {close!r}?" if close else None


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed word closest to ``word``, or None if none is close.

    Examples
    --------
    >>> nearest("treshold", ["threshold", "rules"])
    'threshold'
    """
    return next(iter(get_close_matches(word, list(allowed), n=1, cutoff=0.6)), None)
