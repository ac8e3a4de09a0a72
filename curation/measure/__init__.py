"""How hard a problem is for whom: pass rates as counts, what follows from them, and how they compare."""
