"""Training problems that are benchmark items: found by exact text, by containment of runs of words, or whole."""

from curation.decontaminate.stage import DECONTAMINATE, decontaminate
from curation.decontaminate.summary import removed_by_rule

__all__ = ["DECONTAMINATE", "decontaminate", "removed_by_rule"]
