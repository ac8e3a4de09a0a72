"""Learning how coarse each attribute can be while the task still works and personal attributes stay hard to infer."""

from __future__ import annotations

from privacy.minimize.learn.fit import fit
from privacy.minimize.learn.pick import Measured
from privacy.minimize.learn.sample_size import Enough, Step, enough
from privacy.minimize.learn.sweep import Swept, sweep

__all__ = ["Enough", "Measured", "Step", "Swept", "enough", "fit", "sweep"]
