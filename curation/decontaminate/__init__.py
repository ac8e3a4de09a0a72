"""Training problems that are benchmark items: found by exact text, by containment of runs of words, or whole."""

from curation.decontaminate.stage import DECONTAMINATE, decontaminate

__all__ = ["DECONTAMINATE", "decontaminate"]
