"""What an audit found, as tables, as JSON, and as the few figures that a policy carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from privacy.minimize.audit.settings import Audit
from privacy.minimize.policy import Policy
from schemas.audit_tables import AUDIT, AUDIT_ATTACK, AUDIT_ATTRIBUTE, AUDIT_BUCKET, AUDIT_COLUMN, AUDIT_LINK
from schemas.contracts import Contract
from schemas.ids import canonical_json, record_id

__all__ = ["DIGITS", "AuditResult"]

DIGITS = 9
"""Digits kept of a figure: the order of floating-point sums shows in later ones."""


@dataclass(frozen=True)
class AuditResult:
    """What attackers got from a release. All risks are empirical: a stronger attacker may exist.

    Parameters
    ----------
    attacks
        Rows of `schemas.audit_tables.AUDIT_ATTACK`.
    links
        Rows of `schemas.audit_tables.AUDIT_LINK`.
    attributes
        Rows of `schemas.audit_tables.AUDIT_ATTRIBUTE`.
    columns
        Rows of `schemas.audit_tables.AUDIT_COLUMN`.
    buckets
        Rows of `schemas.audit_tables.AUDIT_BUCKET`.
    groups
        Figures of the whole release, by the names of `schemas.audit_tables.AUDIT`.
    versions
        Versions of the software that measured.
    alternatives
        Policies that were tried and rejected, with error and risk; None where nothing is known of them.
    earlier
        Digests of the earlier policies whose releases the multi-breach attacker holds too.
    """

    policy: Policy
    settings: Audit
    attacks: pl.DataFrame
    links: pl.DataFrame
    attributes: pl.DataFrame
    columns: pl.DataFrame
    buckets: pl.DataFrame
    groups: Mapping[str, float]
    versions: Mapping[str, str]
    alternatives: pl.DataFrame | None = None
    earlier: tuple[str, ...] = ()

    @cached_property
    def id(self) -> str:
        """Id of the audit: the same policy, settings and figures have the same."""
        frames = [frame.to_dicts() for frame in (self.attacks, self.links, self.attributes, self.columns, self.buckets)]
        settings = self.settings.model_dump(mode="json")
        return record_id("a", self.policy.digest, settings, dict(self.groups), list(self.earlier), *frames)

    @property
    def summary(self) -> pl.DataFrame:
        """Per attack (and percentage) the mean over the attributes, and the attributes that fare worst.

        Worst is the one guessed right most often, with its interval in low and high; most told is the one guessed
        right most often beyond its majority.
        """
        gain = pl.col("accuracy") - pl.col("majority")
        ranked = self.attacks.sort("accuracy", "attribute", descending=[True, False])
        found = ranked.group_by("attack", "percent", maintain_order=True).agg(
            pl.col("majority").mean(),
            pl.col("accuracy").mean().alias("mean"),
            pl.col("attribute").first().alias("worst_attribute"),
            pl.col("accuracy").first().alias("worst"),
            pl.col("low").first(),
            pl.col("high").first(),
            pl.col("attribute").sort_by(gain, descending=True, maintain_order=True).first().alias("most_told"),
            gain.max().alias("gain"),
            pl.col("records").max(),
        )
        order = {name: place for place, name in enumerate(self.attacks["attack"].unique(maintain_order=True))}
        return found.sort(pl.col("attack").replace_strict(order, return_dtype=pl.Int64), "percent")

    @property
    def risk(self) -> dict[str, Any]:
        """The figures that a policy file carries (`privacy.minimize.policy.Policy.with_risk`)."""
        everybody = self.summary.filter(pl.col("attack") == "reconstruction").row(0, named=True)
        return {
            "audit": self.id,
            "measure": "empirical accuracy of the strongest attacker tried, no guarantee",
            "reconstruction": {
                "mean": _rounded(everybody["mean"]),
                "majority": _rounded(everybody["majority"]),
                "worst": _rounded(everybody["worst"]),
                "worst_attribute": everybody["worst_attribute"],
                "most_told": everybody["most_told"],
                "gain": _rounded(everybody["gain"]),
            },
            "smallest_group": int(self.groups["smallest_class"]),
            "marketer": _rounded(self.groups["marketer"]),
        }

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the tables of the warehouse by the name of their contract."""
        parts = {
            AUDIT: pl.DataFrame([self._header()]),
            AUDIT_ATTACK: self.attacks,
            AUDIT_LINK: self.links,
            AUDIT_ATTRIBUTE: self.attributes,
            AUDIT_COLUMN: self.columns,
            AUDIT_BUCKET: self.buckets,
        }
        return {contract.name: self._table(contract, frame) for contract, frame in parts.items()}

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        found = {name: frame.drop("audit_id").to_dicts() for name, frame in self.tables().items()}
        [header] = found.pop(AUDIT.name)
        return {
            "audit_id": self.id,
            "kind": "empirical risk",
            **header,
            "settings": self.settings.model_dump(mode="json"),
            "versions": dict(self.versions),
            "earlier": list(self.earlier),
            "summary": _plain(self.summary),
            **{name.removeprefix("minimization_") + "s": rows for name, rows in found.items()},
            "alternatives": None if self.alternatives is None else _plain(self.alternatives),
        }

    def _header(self) -> dict[str, Any]:
        return {
            "policy": self.policy.id,
            "policy_version": self.policy.version,
            "policy_sha256": self.policy.digest,
            "release": self.policy.release,
            **self.groups,
            "at_risk_threshold": self.settings.at_risk,
            "settings": canonical_json(self.settings.model_dump(mode="json")),
            "versions": canonical_json(dict(self.versions)),
        }

    def _table(self, contract: Contract, frame: pl.DataFrame) -> pl.DataFrame:
        schema = pl.Schema(contract.arrow)
        return frame.with_columns(audit_id=pl.lit(self.id)).select(pl.col(name).cast(of) for name, of in schema.items())


def _rounded(value: float) -> float:
    return round(value, 4)


def _plain(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.with_columns(pl.selectors.float().round(DIGITS)).to_dicts()
