"""Ways to make attributes coarse that the Privacy-Aware Tree is held against, as its authors describe them."""

from __future__ import annotations

from privacy.minimize.learn.baselines.iterative import iterative
from privacy.minimize.learn.baselines.neural import adversarial, mutual_information
from privacy.minimize.learn.baselines.simple import feature_selection, uniform

__all__ = ["adversarial", "feature_selection", "iterative", "mutual_information", "uniform"]
