"""Mutants of reference answers: a policy that needs no model, and a measure of how much tests tell apart."""
