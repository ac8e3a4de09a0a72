"""A problem's own answers against its tests: what bears them out, and what they let through."""

from curation.gold.stage import GOLD, check

__all__ = ["GOLD", "check"]
