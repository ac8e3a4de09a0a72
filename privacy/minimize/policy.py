"""Policies: what a person reviews, clients apply and audits hold data against; one self-contained, hashed file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from privacy.minimize.border import ExactFloat
from privacy.minimize.cells import Node
from privacy.minimize.rules import Categories, Drop, Interval, Rule, TypeName
from schemas.errors import InputError, PolicyChanged
from schemas.ids import canonical_json
from schemas.recipe.base import Section
from schemas.recipe.load import load_section

__all__ = ["CELL", "Fitted", "Policy"]

CELL = "cell"
"""Name of the one column that a `cell` release stores of a record."""

_HINT = "`sluice schema policy` prints every key with its meaning."
_NAME = r"^[a-z][a-z0-9_]*$"
_HASHED = ("release", "columns", "cells", "passthrough", "client", "missing")
_PLAIN = re.compile(r"-?\d+(\.\d+)?")
_BREAKS = re.compile("[\x85\u2028\u2029]")


class Fitted(Section):
    """How a policy was learned, and from what; no record of the sample can be told from it."""

    method: str
    """Name of the learner: pat, uniform, by_hand, ..."""
    sample_rows: int = Field(ge=0)
    """Rows of the full-resolution sample: those learned from, and those held back where several policies were tried
    (``settings.learned_rows`` counts the former)."""
    sample_clients: int | None = None
    """Clients in those rows, where rows name one."""
    sample_fingerprint: str | None = None
    """Hash of those rows, whatever their order."""
    personal: tuple[str, ...] | None = None
    """Attributes that were to stay hard to infer."""
    identifying: tuple[str, ...] | None = None
    """Attributes dropped unlearned: most people have a name of their own there, which the policy would publish."""
    seed: int | None = None
    """Seed of all random choices."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """The learner's settings and what led to this choice."""


class Policy(Section):
    """How coarse each attribute of a client is collected, for which purpose, and at which measured risk."""

    id: str = Field(pattern=_NAME)
    """Name of the policy: lower-case letters, digits and underscores; versions of one policy share it."""
    version: int = Field(default=1, ge=1)
    """Counts up with each revision."""
    parent: str | None = None
    """Hash of the version before."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Hash of what the policy does: release, columns, cells, passthrough, client and missing."""
    created: date
    """Day on which it was made."""
    expires: date | None = None
    """Last day on which it may be applied."""
    purpose: str
    """What the minimized data are for, in a sentence."""
    legal_basis: str | None = None
    """Why the data may be processed, such as "consent (GDPR art. 6(1)(a))"."""
    targets: tuple[str, ...] = ()
    """Columns that the data must still predict."""
    release: Literal["attribute", "cell"] = "attribute"
    """``attribute`` stores a bucket per column; ``cell`` stores one leaf of the tree over the buckets."""
    columns: dict[str, Rule]
    """Rule of each attribute, in the order of the columns."""
    cells: Node | None = None
    """The tree, for the release ``cell`` only."""
    passthrough: dict[str, TypeName] = Field(default_factory=dict)
    """Columns stored as they come, with their type."""
    client: str | None = None
    """Column that says whose row it is; it is not stored unless it is passed through."""
    missing: tuple[str, ...] = ("",)
    """Texts that stand for a missing value in CSV files."""
    fit: Fitted
    """How it was learned."""
    risk: dict[str, Any] = Field(default_factory=dict)
    """What the audit measured: empirical figures, no guarantee."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if faults := list(dict.fromkeys(self._faults())):
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        yield from (f"column {name!r} has a rule and is passed through; keep one" for name in self._twice())
        yield from name_faults([*self.inputs, *([CELL] if self.release == CELL else [])])
        if (self.release == CELL) != (self.cells is not None):
            yield "cells are given for release 'cell', and for no other"
        if self.cells is not None:
            yield from self._cell_faults(self.cells)

    def _twice(self) -> list[str]:
        return [name for name in self.columns if name in self.passthrough or name == self.client]

    def _cell_faults(self, root: Node) -> Iterator[str]:
        for node in root.nodes():
            rule = self.columns.get(node.column)
            if rule is None or isinstance(rule, Drop):
                yield f"cells ask about {node.column!r}, of which no bucket is known"
                continue
            unknown = [bucket for bucket in node.buckets if bucket not in rule.bucket_ids]
            yield from (
                f"cells ask {node.column!r} for bucket {bucket!r}, which it does not have" for bucket in unknown
            )
            if not set(node.buckets) < set(rule.bucket_ids) or not node.buckets:
                yield f"cells ask {node.column!r} a question with one answer: {', '.join(node.buckets) or 'no bucket'}"
        faulty = [cell for cell in root.cells if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", cell)]
        yield from (f"cell {cell!r} must be named by letters, digits and underscores" for cell in faulty)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of everything that decides what is stored."""
        return hashlib.sha256(canonical_json(self.spec).encode()).hexdigest()

    @property
    def spec(self) -> dict[str, Any]:
        """Everything that decides what is stored, as a JSON object."""
        return self.model_dump(mode="json", include=set(_HASHED))

    @property
    def kept(self) -> dict[str, Interval | Categories]:
        """Rules of the columns of which a bucket is told, in order."""
        return {name: rule for name, rule in self.columns.items() if not isinstance(rule, Drop)}

    @property
    def stored(self) -> dict[str, tuple[str, ...]]:
        """Minimized columns of the output, in order, with all values that each may hold."""
        if self.cells is not None:
            return {CELL: self.cells.cells}
        return {name: rule.bucket_ids for name, rule in self.kept.items()}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns that the input must have, and no other."""
        client = (self.client,) if self.client is not None else ()
        return tuple(dict.fromkeys((*self.columns, *client, *self.passthrough)))

    @property
    def serving(self) -> Self:
        """The policy for records whose targets are not known yet."""
        passed = {name: kind for name, kind in self.passthrough.items() if name not in self.targets}
        return self.model_copy(update={"passthrough": passed})

    def bucket_ids(self, column: str) -> tuple[str, ...]:
        """Return all values that may stand for those of ``column``; none if it is dropped."""
        rule = self.columns[column]
        return () if isinstance(rule, Drop) else rule.bucket_ids

    def labels(self, column: str) -> dict[str, str]:
        """Return what each bucket of ``column`` holds, for people."""
        rule = self.columns[column]
        return {} if isinstance(rule, Drop) else rule.labels

    def with_risk(self, figures: Mapping[str, Any]) -> Self:
        """Return the policy with what an audit measured; its hash stays."""
        return self.model_copy(update={"risk": dict(figures)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check a policy file.

        Raises
        ------
        InputError
            If the file cannot be read.
        RecipeError
            If it is not valid; all faults are listed, each as ``file:line: key: what is wrong``.
        PolicyChanged
            If its hash is missing, or not that of its content.
        """
        policy = cls.draft(path)
        if policy.sha256 != policy.digest:
            raise PolicyChanged(str(path), policy.sha256, policy.digest)
        return policy

    @classmethod
    def draft(cls, path: Path) -> Self:
        """Read and check a policy file that a person has edited, whatever hash it carries.

        Raises
        ------
        InputError, RecipeError
            As `load`.
        """
        return load_section(path, cls, what="policy", hint=_HINT, loader=_Loader)

    def save(self, path: Path) -> Path:
        """Write the policy with its hash, and return the path.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.to_yaml(), encoding="utf-8")
        except OSError as error:
            raise InputError(f"policy {str(path)!r} cannot be written: {error.strerror}.") from error
        return path

    def to_yaml(self) -> str:
        """Return the policy as the text of its file."""
        shown = self.model_copy(update={"sha256": self.digest}).model_dump(mode="json", exclude_none=True)
        for rule in shown["columns"].values():
            if "borders" in rule:
                rule["borders"] = [_Border(border) for border in rule["borders"]]
        return yaml.dump(shown, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


def name_faults(names: list[str]) -> Iterator[str]:
    """Name what some engine cannot tell apart, or cannot name at all."""
    yield from (f"column {name!r} cannot be named in SQL" for name in names if not name or "\0" in name)
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.lower(), name)) != name or names.count(name) > 1:
            yield f"columns {other!r} and {name!r} have the same name in SQL, which does not look at case"


class _Loader(yaml.SafeLoader):
    """Reads numbers without losing how they were written."""


def _exact(loader: yaml.SafeLoader, node: yaml.Node) -> float:
    value = loader.construct_yaml_float(node)
    return ExactFloat(node.value) if re.fullmatch(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?", node.value) else value


_Loader.add_constructor("tag:yaml.org,2002:float", _exact)


class _Border(str):
    """Text of a border, written without quotes where it is a plain number."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes borders as numbers, and quotes what YAML would fold."""


def _border(dumper: yaml.SafeDumper, border: _Border) -> yaml.Node:
    if not _PLAIN.fullmatch(border):
        return dumper.represent_str(str(border))
    return dumper.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in border else 'int'}", str(border))


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    """Quote a text that holds one of YAML's own line breaks, which would come back as a space."""
    style = '"' if _BREAKS.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(_Border, _border)
_Dumper.add_representer(str, _text)
