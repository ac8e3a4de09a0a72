"""Which licences may stand together in one dataset, and what the whole is under.

Sources: the licences' own terms on adaptations; Creative Commons, "Can I combine material under different Creative
Commons licenses in my work?" (FAQ) and its list of compatible licences; the GNU licence list for GPL and CC BY-SA.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from schemas.errors import GateFailed

__all__ = ["LicenceRollUp", "conflicts", "roll_up"]

_SHARE_ALIKE = {
    "CC-BY-SA-3.0": {"CC-BY-SA-4.0", "GPL-3.0-only", "GPL-3.0-or-later"},
    "CC-BY-SA-4.0": {"GPL-3.0-only", "GPL-3.0-or-later"},
    "CC-BY-NC-SA-3.0": {"CC-BY-NC-SA-4.0"},
    "CC-BY-NC-SA-4.0": set(),
    "GPL-2.0-only": set(),
    "GPL-2.0-or-later": {"GPL-3.0-only", "GPL-3.0-or-later", "AGPL-3.0-only", "AGPL-3.0-or-later"},
    "GPL-3.0-only": {"GPL-3.0-or-later", "AGPL-3.0-only", "AGPL-3.0-or-later"},
    "GPL-3.0-or-later": {"GPL-3.0-only", "AGPL-3.0-only", "AGPL-3.0-or-later"},
    "AGPL-3.0-only": {"AGPL-3.0-or-later"},
    "AGPL-3.0-or-later": {"AGPL-3.0-only"},
    "ODbL-1.0": set(),
    "CDLA-Sharing-1.0": set(),
}
"""Share-alike licences, each with those whose terms may take it over."""


@dataclass(frozen=True)
class LicenceRollUp:
    """What the whole is under.

    Parameters
    ----------
    expression
        SPDX expression that holds for the whole.
    rows
        Rows by licence.
    accepted
        Conflicts that the recipe accepted, one sentence each.
    """

    expression: str
    rows: Mapping[str, int]
    accepted: tuple[str, ...]


def conflicts(licences: Iterable[str]) -> dict[tuple[str, ...], str]:
    """Return the licences that may not stand together, with the reason.

    Examples
    --------
    >>> conflicts(["MIT", "CC-BY-4.0"])
    {}
    >>> list(conflicts(["CC-BY-SA-4.0", "CC-BY-NC-4.0"]))
    [('CC-BY-NC-4.0', 'CC-BY-SA-4.0')]
    """
    names = sorted(set(licences))
    found = {(name,): "its terms forbid sharing adapted material" for name in names if "-ND-" in name}
    for pair in combinations(names, 2):
        if reason := _clash(*pair) or _clash(*reversed(pair)):
            found[pair] = reason
    return found


def roll_up(rows: Mapping[str, int], accept: Collection[str] = ()) -> LicenceRollUp:
    """Combine the licences of a dataset's rows.

    Parameters
    ----------
    rows
        Number of rows by SPDX id.
    accept
        Ids whose conflicts the publisher takes upon themselves.

    Raises
    ------
    GateFailed
        If licences may not be mixed and none of them is in ``accept``.
    """
    found = conflicts(rows)
    told = {names: why for names, why in found.items() if set(names) & set(accept)}
    refused = {names: why for names, why in found.items() if names not in told}
    if refused:
        listed = "; ".join(f"{_counted(names, rows)}: {why}" for names, why in refused.items())
        raise GateFailed(
            f"these licences may not be mixed in one release: {listed}.",
            hint="drop one side with a filter on `license`, or name it in `publish.accept_licenses` if you may.",
        )
    accepted = tuple(f"{' with '.join(names)}: {why}; accepted by the recipe" for names, why in told.items())
    return LicenceRollUp(" AND ".join(sorted(rows)), dict(sorted(rows.items())), accepted)


def _counted(names: tuple[str, ...], rows: Mapping[str, int]) -> str:
    return " with ".join(f"{name} ({rows[name]} rows)" for name in names)


def _clash(one: str, other: str) -> str | None:
    if one.startswith("LicenseRef-"):
        return f"the terms of {one} are not known to allow it"
    heirs = _SHARE_ALIKE.get(one)
    if heirs is None:
        return None
    if "-NC-" in other and "-NC-" not in one:
        return f"{one} must stay open to commercial use, which {other} forbids"
    if other in _SHARE_ALIKE and other not in heirs and one not in _SHARE_ALIKE[other]:
        return "each wants the whole under itself"
    return None
