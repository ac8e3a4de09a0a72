"""Vertical data minimization: learn how coarse client attributes may be, review it as a policy, apply it, audit it."""
