"""What a report says of an audit, before it is HTML or Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from privacy.minimize.audit.result import AuditResult
from schemas.audit_tables import ATTACKS

__all__ = ["Bucket", "Kept", "Told", "View"]

_HALF = 0.5
_SURE = 0.95
_GAIN = 0.1
_LINKS = 12
_ALTERNATIVES = 40


@dataclass(frozen=True)
class Bucket:
    """A bucket: what is stored, what it stands for, and how many records are in it."""

    name: str
    label: str
    records: int
    share: float


@dataclass(frozen=True)
class Kept:
    """A column: what is stored of it, and how much of the targets it explains before and after."""

    name: str
    personal: bool
    buckets: list[Bucket]
    targets: list[dict[str, Any]]

    @property
    def ordinary(self) -> int:
        """Number of buckets for ordinary values."""
        return sum(not bucket.name.startswith("__") for bucket in self.buckets)


@dataclass(frozen=True)
class Told:
    """What the reconstruction learns of one attribute, and every other attack on it, by name."""

    name: str
    majority: float
    accuracy: float
    low: float
    high: float
    attacker: str
    attacks: dict[str, float]


@dataclass(frozen=True)
class View:
    """An audit as its report tells it."""

    result: AuditResult

    @property
    def kept(self) -> list[Kept]:
        """Columns of which something is stored, in the order of the policy."""
        return [column for column in self._columns() if column.buckets]

    @property
    def dropped(self) -> list[Kept]:
        """Columns of which nothing is stored."""
        return [column for column in self._columns() if not column.buckets]

    @property
    def cells(self) -> list[Bucket]:
        """Cells, where one cell is stored of a record."""
        return self._buckets("cell") if self.result.policy.cells is not None else []

    @property
    def told(self) -> list[Told]:
        """Personal attributes, the one told most beyond its majority first."""
        whole = self.result.attacks.filter(pl.col("percent") == 100)  # noqa: PLR2004 - all records
        found = []
        for row in whole.filter(attack="reconstruction").iter_rows(named=True):
            attacks = dict(whole.filter(attribute=row["attribute"]).select("attack", "accuracy").iter_rows())
            fields = {name: row[name] for name in ("majority", "accuracy", "low", "high", "attacker")}
            found.append(Told(name=row["attribute"], attacks=attacks, **fields))
        return sorted(found, key=lambda one: (one.majority - one.accuracy, one.name))

    @property
    def attacks(self) -> list[str]:
        """Attacks that were run on every attribute, in the order of their definition."""
        there = set(self.result.attacks["attack"]) - {"high_certainty"}
        return [name for name in ATTACKS if name in there]

    @property
    def certain(self) -> list[dict[str, Any]]:
        """What the attacker gets of the records he is most certain of."""
        return self.result.summary.filter(attack="high_certainty").to_dicts()

    @property
    def whole(self) -> dict[str, Any]:
        """Figures of the reconstruction over all attributes."""
        return self.result.summary.filter(attack="reconstruction").row(0, named=True)

    @property
    def worst_case(self) -> dict[str, Any]:
        """The attack with the greatest mean accuracy over all records."""
        rows = self.result.summary.filter((pl.col("percent") == 100) & (pl.col("attack") != "singling_out"))  # noqa: PLR2004 - all records
        return rows.sort("mean", "attack", descending=[True, False]).row(0, named=True)

    @property
    def links(self) -> list[dict[str, Any]]:
        """Pairs of attributes, the one linked most often beyond chance first."""
        gain = pl.col("rate") - pl.col("random")
        return self.result.links.sort([gain, "known", "linked"], descending=[True, False, False])[:_LINKS].to_dicts()

    @property
    def attributes(self) -> list[dict[str, Any]]:
        """How well groups of like records hide each attribute."""
        return self.result.attributes.to_dicts()

    @property
    def alternatives(self) -> list[dict[str, Any]]:
        """Policies that were tried: the picked one, then the smallest error first, those not measured last."""
        tried = self.result.alternatives
        if tried is None:
            return []
        known = tried if "picked" in tried.columns else tried.with_columns(picked=pl.lit(False))  # noqa: FBT003 - a literal
        order = known.sort("picked", "error", "risk", descending=[True, False, False], nulls_last=True)
        return order[:_ALTERNATIVES].to_dicts()

    @property
    def warnings(self) -> Iterator[str]:
        """What a person who decides should not miss."""
        groups, told = self.result.groups, self.told
        if groups["singletons"]:
            yield (
                f"{groups['singletons']:,} of {groups['classes']:,} groups hold a single person: whoever knows what is "
                "stored of them finds their record."
            )
        certain = [one for one in self.result.attributes.iter_rows(named=True) if one["told_for_certain"] > 0]
        if certain:
            most = max(certain, key=lambda one: one["told_for_certain"])
            yield (
                f"{len(certain)} of {len(told)} personal attributes are told for certain for some people; most of all "
                f"{most['attribute']}, for {100 * most['told_for_certain']:.1f} % of the records."
            )
        yield from self._nearly_sure()
        gained = [one.name for one in told if (one.accuracy - one.majority) > _HALF * (1 - one.majority)]
        if gained:
            yield (f"What is stored gives away more than half of what was unknown of {', '.join(gained)}.")

    def _nearly_sure(self) -> Iterator[str]:
        """Tell the largest share of the records of which an attribute is known almost surely, and was not before."""
        gain = pl.col("accuracy") - pl.col("majority")
        scored = self.result.attacks.filter(attack="high_certainty")
        news = scored.filter(pl.col("accuracy") >= _SURE, gain >= _GAIN)
        for row in news.sort("percent", gain, "attribute", descending=[True, True, False])[:1].to_dicts():
            yield (
                f"Of the {row['percent']} % of the records that the attacker is most certain of, {row['attribute']} is "
                f"named right in {100 * row['accuracy']:.1f} % (the commonest value: {100 * row['majority']:.1f} %)."
            )

    def _columns(self) -> Iterator[Kept]:
        rows = self.result.columns.to_dicts()
        personal = {row["attribute"] for row in self.result.attacks.select("attribute").unique().to_dicts()}
        for name in self.result.policy.columns:
            targets = [row for row in rows if row["column"] == name]
            yield Kept(name, name in personal, self._buckets(name), targets)

    def _buckets(self, column: str) -> list[Bucket]:
        rows = self.result.buckets.filter(column=column).iter_rows(named=True)
        return [Bucket(row["bucket"], row["label"], row["records"], row["share"]) for row in rows]
