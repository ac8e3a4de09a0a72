"""What policies store of records, laid before an attacker."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from privacy.minimize.apply import minimized
from privacy.minimize.audit.breach import Breach
from privacy.minimize.audit.settings import Audit
from privacy.minimize.evaluate.folds import held_back
from privacy.minimize.policy import Policy
from privacy.minimize.rules import Interval, type_name
from schemas.errors import UsageError

__all__ = ["breach_of", "personal_of", "stored"]

_ORDERED = ("int", "float", "decimal", "date", "datetime", "instant")


def breach_of(raw: pl.DataFrame, policies: Sequence[Policy], settings: Audit) -> Breach:
    """Return the breach of one release, or of several of the same records together.

    What the policies pass through as it comes (targets, ids) is not in the attacker's hands, unless another of them
    makes it coarse.

    Parameters
    ----------
    raw
        Records at full resolution, with the columns that any of the policies was made for.

    Raises
    ------
    SchemaDrift
        If the columns or types of ``raw`` are not those of one of the policies.
    UsageError
        If no attribute is personal, or one that is named is unknown.
    """
    attributes = list(dict.fromkeys(name for policy in policies for name in policy.columns))
    own: dict[str, list[str]] = {name: [] for name in attributes}
    releases = []
    for number, policy in enumerate(policies):
        mark = f"@{number + 1}" if len(policies) > 1 else ""
        plain = raw.select(pl.col(name).cast(pl.String) for name in policy.passthrough if name in attributes)
        release = pl.concat([stored(policy, raw), plain], how="horizontal")
        releases.append(release.select(pl.all().name.suffix(mark)))
        for name in release.columns:
            if name in own:
                own[name].append(name + mark)
    client = policies[0].client
    return Breach(
        raw=raw.select(attributes),
        released=pl.concat(releases, how="horizontal"),
        personal=personal_of(raw, policies, settings),
        test=held_back(raw, settings.test_share, settings.seed, client),
        own=own,
        clients=None if client is None else raw[client],
    )


def stored(policy: Policy, raw: pl.DataFrame) -> pl.DataFrame:
    """Return what a policy makes coarse of records, without what it passes through."""
    alone = policy.model_copy(update={"passthrough": {}, "client": None})
    return minimized(alone, raw.select(name for name in raw.columns if name in alone.inputs)).collect()


def personal_of(raw: pl.DataFrame, policies: Sequence[Policy], settings: Audit) -> tuple[str, ...]:
    """Return the attributes under attack: those named, those that the policies were learned to hide, or a guess.

    The guess is all that are not numbers or dates.

    Raises
    ------
    UsageError
        If there is none.
    """
    if settings.personal is not None:
        found = settings.personal
    else:
        columns = {name: rule for policy in policies for name, rule in policy.columns.items()}
        hidden = dict.fromkeys(name for policy in policies for name in policy.fit.personal or () if name in columns)
        found = tuple(hidden) or tuple(
            name
            for name, rule in columns.items()
            if not isinstance(rule, Interval) and type_name(raw.schema[name]) not in _ORDERED
        )
    if not found:
        raise UsageError("no attribute is personal, so there is nothing to attack.", hint="name them in `personal`.")
    return found
