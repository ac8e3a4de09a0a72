"""How many answers are enough: more only where few leave the question open."""

from __future__ import annotations

from curation.measure.estimators import wilson
from schemas.recipe.rollouts import Escalation

__all__ = ["demands_more"]


def demands_more(n: int, c: int, escalation: Escalation) -> bool:
    """Tell whether ``c`` right answers of ``n`` leave open what has to be decided.

    No right answer at all always does: eight failures are likely (0.43) even for a policy that succeeds once in
    ten. Answers that the sandbox could not judge are in neither count; without any judged answer, more would not help.

    Examples
    --------
    >>> [demands_more(8, c, Escalation()) for c in range(9)]
    [True, False, True, True, True, True, True, False, False]
    """
    if n == 0:
        return False
    low, high = wilson(n, c, escalation.confidence)
    return c == 0 or any(low < edge < high for edge in escalation.edges)
