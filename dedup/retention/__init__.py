"""Which redundant tables can go, how each comes back, and carrying that out with no way to lose a row."""
