"""Containment of tables in a lake: what is inside what, proved on fingerprints of rows."""
