"""DRIVE (arXiv 2511.06307) and plain curricula: which problems are trained on, in which phase and order."""

from curation.drive.deviations import Deviation, deviations
from curation.drive.next_phase import NextPhase, next_phase
from curation.drive.plan import phase_sizes, training_plan
from curation.drive.stage import CURRICULA, schedule

__all__ = [
    "CURRICULA",
    "Deviation",
    "NextPhase",
    "deviations",
    "next_phase",
    "phase_sizes",
    "schedule",
    "training_plan",
]
