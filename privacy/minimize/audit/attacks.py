"""The attacks on a release: what each attacker knows, and how often the guesses are right."""

from __future__ import annotations

import numpy as np
import polars as pl

from privacy.minimize.audit.breach import Breach
from privacy.minimize.audit.intervals import effective_size, interval, wilson
from privacy.minimize.audit.settings import Audit
from privacy.minimize.evaluate.adversary import Attempt, Outcome
from schemas.audit_tables import AUDIT_ATTACK

__all__ = [
    "RESULT",
    "high_certainty",
    "leave_one_out",
    "non_personal_knowledge",
    "partial_personal_knowledge",
    "reconstruction",
    "results",
    "singling_out",
]

RESULT = pl.Schema({name: of for name, of in pl.Schema(AUDIT_ATTACK.arrow).items() if name != "audit_id"})
"""One row per attack and attribute, as the contract says."""
_EVERYBODY = 100


def reconstruction(breach: Breach, settings: Audit) -> list[Outcome]:
    """Attack every personal attribute from what is stored."""
    return breach.attack(breach.personal, trained=settings.trained, seed=settings.seed)


def non_personal_knowledge(breach: Breach, settings: Audit) -> list[Outcome]:
    """Attack every personal attribute, knowing all that are not personal at full resolution."""
    return breach.attack(breach.personal, breach.impersonal, trained=settings.trained, seed=settings.seed)


def leave_one_out(breach: Breach, settings: Audit) -> list[Outcome]:
    """Attack every personal attribute, knowing all others at full resolution."""
    return [
        breach.attack(
            [name],
            [other for other in breach.raw.columns if other != name],
            trained=settings.trained,
            seed=settings.seed,
        )[0]
        for name in breach.personal
    ]


def partial_personal_knowledge(breach: Breach, settings: Audit) -> list[Outcome]:
    """Attack one personal attribute after another, knowing those before and all that are not personal.

    The order is that of the table attacker's accuracy on its own sample, the easiest attribute first.
    """
    own_sample = breach.attack(breach.personal, trained=False, seed=settings.seed, blind=False)
    order = [outcome.attribute for outcome in sorted(own_sample, key=lambda one: (-one.accuracy, one.attribute))]
    return [
        breach.attack([name], [*breach.impersonal, *order[:step]], trained=settings.trained, seed=settings.seed)[0]
        for step, name in enumerate(order)
    ]


def results(attack: str, outcomes: list[Outcome], breach: Breach, settings: Audit) -> pl.DataFrame:
    """Return outcomes as rows of `RESULT`, with intervals by client where clients have many rows."""
    clients, confidence = breach.attacked_clients, settings.confidence
    rows = [
        _row(attack, outcome, interval(outcome.best.hit, outcome.best.weights, clients, confidence))
        | {"step": step if attack == "partial_personal_knowledge" else 0}
        for step, outcome in enumerate(outcomes, 1)
    ]
    return pl.DataFrame(rows, schema=RESULT)


def high_certainty(outcomes: list[Outcome], breach: Breach, settings: Audit) -> pl.DataFrame:
    """Score the guesses of a reconstruction of which the attacker is most certain.

    Where many records are equally certain, those of them that fit into the percentage count in proportion. Where
    clients have many rows, the intervals are widened as much as that of all guesses.
    """
    rows = []
    for outcome in outcomes:
        best = outcome.best
        independent = effective_size(best.hit, best.weights, breach.attacked_clients) / len(best.hit)
        for percent in settings.certain:
            size = max(1, round(len(best.hit) * percent / 100))
            table = certain_share(outcome.table, size)
            trained = None if outcome.trained is None else certain_share(outcome.trained, size)
            accuracy = max(table, trained or 0.0)
            low, high = wilson(accuracy, size * independent, settings.confidence)
            rows.append(
                {
                    "attack": "high_certainty",
                    "attribute": outcome.attribute,
                    "percent": percent,
                    "step": 0,
                    "records": size,
                    "majority": outcome.majority.accuracy,
                    "table": table,
                    "trained": trained,
                    "attacker": "table" if trained is None or table >= trained else "trained",
                    "accuracy": accuracy,
                    "low": low,
                    "high": high,
                }
            )
    return pl.DataFrame(rows, schema=RESULT)


def certain_share(attempt: Attempt, size: int) -> float:
    """Return the share of hits among the ``size`` most certain guesses.

    Examples
    --------
    >>> attempt = Attempt(np.array([True, False, True]), np.array([0.9, 0.5, 0.5]))
    >>> certain_share(attempt, 1), certain_share(attempt, 2)
    (1.0, 0.75)
    """
    edge = np.sort(attempt.certainty)[-size]
    above, level = attempt.certainty > edge, attempt.certainty == edge
    return float((attempt.hit[above].sum() + (size - above.sum()) * attempt.hit[level].mean()) / size)


def singling_out(outcomes: list[Outcome], breach: Breach, settings: Audit) -> pl.DataFrame:
    """Score the guesses of a reconstruction on the records that are alone in their class."""
    classes = breach.classes
    alone = (np.bincount(classes.number, minlength=classes.count)[classes.number] == 1)[breach.test]
    if not alone.any():
        return pl.DataFrame(schema=RESULT)
    cut = [
        Outcome(
            one.attribute, *(attempt and _only(attempt, alone) for attempt in (one.majority, one.table, one.trained))
        )
        for one in outcomes
    ]
    clients = None if breach.clients is None else breach.attacked_clients.filter(alone)  # type: ignore[union-attr]
    singled = [
        _row("singling_out", one, interval(one.best.hit, one.best.weights, clients, settings.confidence)) for one in cut
    ]
    return pl.DataFrame(singled, schema=RESULT)


def _only(attempt: Attempt, rows: np.ndarray) -> Attempt:
    weights = None if attempt.weights is None else attempt.weights[rows]
    return Attempt(attempt.hit[rows], attempt.certainty[rows], weights)


def _row(attack: str, outcome: Outcome, ends: tuple[float, float]) -> dict[str, object]:
    return {
        "attack": attack,
        "attribute": outcome.attribute,
        "percent": _EVERYBODY,
        "step": 0,
        "records": len(outcome.best.hit),
        "majority": outcome.majority.accuracy,
        "table": outcome.table.accuracy,
        "trained": None if outcome.trained is None else outcome.trained.accuracy,
        "attacker": outcome.strongest,
        "accuracy": outcome.accuracy,
        "low": ends[0],
        "high": ends[1],
    }
