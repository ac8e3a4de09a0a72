"""Sources of a recipe: which files or data sets to read, how their rows are laid out, and how big a row may be."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.enums import VerifierKind
from schemas.recipe.base import Section

__all__ = [
    "Columns",
    "Compare",
    "Dataset",
    "Limits",
    "ResolvedSource",
    "ResolvedSources",
    "Source",
    "SourceFile",
    "Sources",
    "Where",
]

Compare = Literal["json", "exact", "lines", "tokens", "float", "unordered", "checker"]
MathFormat = Literal["gsm8k", "math", "aime"]


class Columns(Section):
    """Which column of a table holds what; a dot reaches into an object, as in ``reward_model.ground_truth``."""

    prompt: str = "prompt"
    """Text of the problem, or a list of messages with role and content."""
    answer: str | None = None
    """Expected answer, for the kinds math, choice, exact and json."""
    tests: str | None = None
    """Tests in the shape of the verifier's kind: a list, or JSON text of one; for asserts also a list of code."""
    inputs: str | None = None
    """List of standard inputs (stdio) or of argument lists (calls); pairs with ``outputs``."""
    outputs: str | None = None
    """List of expected outputs, one per input."""
    entry_point: str | None = None
    """Name of the function to write, for the kinds asserts and calls."""
    prelude: str | None = None
    """Code that runs before the candidate, such as imports."""
    starter_code: str | None = None
    """Code that a completion continues."""
    reference_solutions: str | None = None
    """One right program or answer, or a list of them."""
    wrong_solutions: str | None = None
    """One wrong program or answer, or a list of them."""
    id: str | None = None
    """The record's own id; its line number where absent."""
    license: str | None = None
    """SPDX id of the row's licence."""
    date: str | None = None
    """Date of first publication, ISO 8601."""
    ability: str | None = None
    """What the problem exercises."""
    language: str | None = None
    """Programming language of the answer."""
    difficulty: str | None = None
    """Difficulty label, read on the source's ``difficulty_scale``."""
    tags: str | None = None
    """List of topics, or text with commas between them."""
    meta: tuple[str, ...] = ()
    """Further columns to keep in the problem's ``meta``, such as the profile of the client who asked."""


class Dataset(Section):
    """A data set of the `datasets` library, by name or by the path of a saved folder."""

    name: str
    """Name on the hub, or a local folder."""
    config: str | None = None
    """Configuration, where the data set has several."""
    split: str = "train"
    """Split to read."""
    revision: str | None = None
    """Commit or tag on the hub; pin it to make runs repeatable."""


class Where(Section):
    """Which rows of a source to take; the others are recorded as ``not_selected``."""

    column: str
    """Column to look at; a dot reaches into an object."""
    low: float | str | None = None
    """Least value taken."""
    high: float | str | None = None
    """Greatest value taken."""
    values: tuple[str, ...] = ()
    """Values taken, compared as text; empty for any."""


class Source(Section):
    """One source of problems."""

    name: str = Field(min_length=1)
    """Name under which its problems appear."""
    kind: str
    """Layout of its rows: humaneval, mbpp, apps, taco, code_contests, leetcode, livecodebench, gsm8k, math, rllm,
    verl, table (with ``columns``), or the name of an installed plug-in."""
    path: str | None = None
    """File, folder or glob pattern, relative to the recipe: .json, .jsonl, .csv (each also .gz) or .parquet.
    ``${NAME}`` stands for an environment variable."""
    dataset: Dataset | None = None
    """A data set of the `datasets` library instead of files."""
    columns: Columns = Columns()
    """Column map of the kind table."""
    verifier: VerifierKind | None = None
    """How answers are checked, for the kind table; others know."""
    math_format: MathFormat = "math"
    """How a mathematical answer is written, for the kinds table and verl."""
    compare: Compare | None = None
    """Comparator in place of the one that the source's own convention asks for."""
    difficulty_scale: str | None = None
    """Scale of the difficulty column, such as level_5, votes_10, failures_16, pass_rate, percent_failed, words."""
    show_tests: bool = True
    """Show the asserts in the prompt, as MBPP's authors do."""
    challenge_tests: bool = False
    """Add MBPP's challenge tests to its tests."""
    split_asserts: bool = False
    """Make each assert of a suite a test of its own, where the suite holds nothing else."""
    where: Where | None = None
    """Rows to take; all where absent."""
    minimize: str | None = None
    """Minimization policy that the rows pass before anything else sees them, relative to the recipe: raw values of the
    columns that it has rules for are stored nowhere. It passes through what the problem is read from."""
    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    """Encoding of text files."""
    license: str | None = None
    """SPDX id, in place of what the layout or the row says."""
    ability: str | None = None
    """Ability, in place of what the layout says."""
    revision: str | None = None
    """Revision of the source to record; a digest of the file where absent."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.dataset is None):
            raise ValueError("give exactly one of path and dataset")
        if self.minimize is not None and self.path is None:
            raise ValueError("minimize is for files: give path")
        if self.kind == "table" and self.verifier is None:
            raise ValueError(f"kind 'table' needs verifier: one of {', '.join(VerifierKind)}")
        return self


class Limits(Section):
    """How big one row may be; a bigger one becomes a rejection."""

    row_bytes: int = Field(default=64 * 2**20, gt=0)
    """Bytes of one row as it stands in the file."""
    prompt_chars: int = Field(default=200_000, gt=0)
    """Characters of the prompt."""
    tests_chars: int = Field(default=50_000_000, gt=0)
    """Characters of the tests as JSON."""
    tests: int = Field(default=10_000, gt=0)
    """Number of tests."""
    detail_chars: int = Field(default=300, gt=0)
    """Characters of a rejection's detail."""


class Sources(Section):
    """What to read, in order: of two equal problems the first read is kept."""

    sources: tuple[Source, ...] = Field(min_length=1)
    """The sources."""
    limits: Limits = Limits()
    """Size limits of one row."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [source.name for source in self.sources]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"source names must differ; {', '.join(doubled)} is used twice")
        return self


class SourceFile(Section):
    """A file as it was found: its name in reports, its content's digest, and where it lies."""

    name: str
    """Path as the recipe gives it."""
    digest: str
    """Digest of its bytes (or of a data set's fingerprint)."""
    location: Path = Field(exclude=True)
    """Where it lies; no part of the stage's key, so that a moved checkout finds its finished work."""


class ResolvedSource(Section):
    """A source together with the files it was resolved to."""

    source: Source
    """The source."""
    files: tuple[SourceFile, ...]
    """Its files, in name order."""


class ResolvedSources(Section):
    """Configuration of the stage ``read``: its key changes exactly when the recipe or the files' bytes change."""

    sources: tuple[ResolvedSource, ...]
    """The sources, in order."""
    limits: Limits
    """Size limits of one row."""
