"""Deleting tables and bringing them back, so that nothing is lost."""
