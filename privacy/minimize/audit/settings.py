"""What a person asks of an audit."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.recipe.base import Section

__all__ = ["Audit"]

Share = Annotated[float, Field(gt=0, lt=1)]
Percent = Annotated[int, Field(ge=1, le=100)]


class Audit(Section):
    """How a release is attacked."""

    personal: tuple[str, ...] | None = None
    """Attributes under attack; by default those that the policy was learned to hide, or, of a policy that names none,
    every attribute that is not a number or a date."""
    test_share: Share = 0.33
    """Share of the records (clients, where the policy names their column) that are attacked; the attacker knows the
    others in full."""
    trained: bool = True
    """False to attack by counting alone, which takes seconds."""
    most_rows: Annotated[int, Field(ge=10)] = 100_000
    """Records that are attacked and learned from; of a larger table a sample of this size, while the counts of the
    SQL script are of all of it."""
    certain: tuple[Percent, ...] = (1, 2, 5, 10, 20, 50, 100)
    """Percentages of the records of which the attacker is most certain."""
    queries: Annotated[int, Field(ge=1)] = 1_000
    """Records that are linked between two leaked attributes, per pair."""
    at_risk: Share = 0.2
    """Risk above which a record counts as at risk: 0.2 means that fewer than 5 people share what is stored."""
    confidence: Share = 0.95
    """Level of the intervals."""
    seed: int = 43
    """Seed of the split, the training and the queries."""
