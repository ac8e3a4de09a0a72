"""Learning how coarse each attribute can be while the task still works and personal attributes stay hard to infer."""

from __future__ import annotations

from privacy.minimize.learn.fit import fit
from privacy.minimize.learn.sweep import Measured, Swept, sweep

__all__ = ["Measured", "Swept", "fit", "sweep"]
