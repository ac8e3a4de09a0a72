"""Audits: a policy, the records behind it, and what every attacker gets."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import duckdb
import polars as pl

from privacy.minimize.audit.attacks import (
    high_certainty,
    leave_one_out,
    non_personal_knowledge,
    partial_personal_knowledge,
    reconstruction,
    results,
    singling_out,
)
from privacy.minimize.audit.breach import Breach
from privacy.minimize.audit.counting import count, relation_of
from privacy.minimize.audit.lineage import lineage
from privacy.minimize.audit.linkability import linkability
from privacy.minimize.audit.releases import breach_of, stored
from privacy.minimize.audit.relevance import relevance
from privacy.minimize.audit.result import DIGITS, AuditResult
from privacy.minimize.audit.settings import Audit
from privacy.minimize.evaluate.adversary import Outcome
from privacy.minimize.policy import Policy
from schemas.audit_tables import AUDIT, AUDIT_ATTRIBUTE
from schemas.errors import UsageError
from warehouse.progress import Progress, Silent

__all__ = ["audit", "multi_breach"]

_MEASURED_BY = ("sluice", "polars", "duckdb", "numpy", "scikit-learn")
_TASK = "attacks"
_FURTHER: dict[str, Callable[[Breach, Audit], list[Outcome]]] = {
    "non_personal_knowledge": non_personal_knowledge,
    "leave_one_out": leave_one_out,
    "partial_personal_knowledge": partial_personal_knowledge,
}
_SHARE = pl.col("part") / pl.col("whole")
_VALUE = pl.when(_SHARE.is_finite()).then(_SHARE)


def audit(  # noqa: PLR0913 - records, policy, and what each of them is held against
    raw: pl.DataFrame,
    policy: Policy,
    settings: Audit | None = None,
    *,
    earlier: Sequence[Policy] = (),
    alternatives: pl.DataFrame | None = None,
    population: pl.DataFrame | None = None,
    progress: Progress | None = None,
) -> AuditResult:
    """Attack what a policy stores of records.

    Parameters
    ----------
    raw
        Records at full resolution, with the columns and types that the policy was made for (and that the earlier
        policies were made for).
    earlier
        Other policies by which data of the same people were released: the multi-breach attacker holds those too.
    alternatives
        Policies that were tried and rejected, for the report.
    population
        Records at full resolution of everybody whom the records could be of, for journalist and marketer risk; by
        default nobody else could be meant. Where the policy names the clients' column, it says whose they are.

    Returns
    -------
    AuditResult
        Empirical risks; equal for equal records, whatever their order.

    Raises
    ------
    SchemaDrift
        If the columns or types of ``raw`` are not the policy's.
    UsageError
        If a personal attribute is unknown or none is named, or the population does not say whose records it holds.
    MissingExtra
        If training is asked for and scikit-learn is not installed.
    """
    settings, progress = settings or Audit(), progress or Silent()
    breach = breach_of(raw, [policy], settings)
    attacks, links = _attacked(breach.sample(settings.most_rows, settings.seed), settings, progress)
    if earlier:
        attacks = pl.concat([attacks, multi_breach(raw, [policy, *earlier], settings)])
    counted = _counted(breach, settings, None if population is None else _everybody(policy, population))
    return AuditResult(
        policy=policy,
        settings=settings,
        attacks=_rounded(attacks),
        links=_rounded(links),
        attributes=_rounded(_by_attribute(counted)),
        columns=_rounded(relevance(policy, raw, breach.personal)),
        buckets=_rounded(lineage(policy, raw)),
        groups=_whole(counted),
        versions=_versions(),
        alternatives=alternatives,
        earlier=tuple(other.digest for other in earlier),
    )


def multi_breach(raw: pl.DataFrame, policies: Sequence[Policy], settings: Audit | None = None) -> pl.DataFrame:
    """Attack people of whom several releases leaked, by all of them together.

    Parameters
    ----------
    raw
        Records at full resolution, with the columns that any of the policies was made for.
    policies
        Two or more policies that were applied to the same records.

    Returns
    -------
    polars.DataFrame
        Rows of the attack ``multi_breach``, one per personal attribute.

    Raises
    ------
    SchemaDrift
        If the columns or types of ``raw`` are not those of one of the policies.
    """
    settings = settings or Audit()
    breach = breach_of(raw, policies, settings).sample(settings.most_rows, settings.seed)
    return _rounded(results("multi_breach", reconstruction(breach, settings), breach, settings))


def _attacked(breach: Breach, settings: Audit, progress: Progress) -> tuple[pl.DataFrame, pl.DataFrame]:
    progress.start(_TASK, len(_FURTHER) + 2, unit="attacks")
    outcomes = reconstruction(breach, settings)
    progress.advance(_TASK)
    found = [
        results("reconstruction", outcomes, breach, settings),
        high_certainty(outcomes, breach, settings),
        singling_out(outcomes, breach, settings),
    ]
    for name, attack in _FURTHER.items():
        found.append(results(name, attack(breach, settings), breach, settings))
        progress.advance(_TASK)
    links = linkability(breach, settings)
    progress.advance(_TASK)
    progress.finish(_TASK)
    return pl.concat(found), links


def _counted(breach: Breach, settings: Audit, population: pl.DataFrame | None) -> pl.DataFrame:
    """Return the figures of the SQL script over all records."""
    layout = replace(breach.layout, client=None if breach.clients is None else "client", threshold=settings.at_risk)
    with duckdb.connect() as connection:
        connection.register("audited", relation_of(breach.raw, breach.released, pl.Series(breach.test), breach.clients))
        if population is not None:
            connection.register("everybody", population)
        return count(connection, "audited", layout, None if population is None else "everybody")


def _everybody(policy: Policy, population: pl.DataFrame) -> pl.DataFrame:
    """Return what would be stored of everybody, and who they are, as the SQL script wants it."""
    known = stored(policy, population).select(pl.all().name.prefix("out."))
    if policy.client is None:
        return known
    if policy.client not in population.columns:
        raise UsageError(
            f"the population does not say whose records its rows are: column {policy.client!r} is missing.",
            hint="people are counted by that column, in the records and in the population.",
        )
    return known.with_columns(population[policy.client].alias("client"))


def _by_attribute(counted: pl.DataFrame) -> pl.DataFrame:
    figures = counted.drop_nulls("attribute").select("attribute", "measure", value=_VALUE)
    wide = figures.pivot("measure", index="attribute", values="value", maintain_order=True)
    return wide.select(name for name in AUDIT_ATTRIBUTE.names if name in wide.columns)


def _whole(counted: pl.DataFrame) -> dict[str, float]:
    figures = dict(counted.filter(pl.col("attribute").is_null()).select("measure", _VALUE).iter_rows())
    counts = {name for name, of in pl.Schema(AUDIT.arrow).items() if of.is_integer()}
    return {name: int(value) if name in counts else round(value, DIGITS) for name, value in figures.items()}


def _rounded(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.selectors.float().round(DIGITS))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _MEASURED_BY:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
