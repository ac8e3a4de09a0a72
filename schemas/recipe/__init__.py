"""Recipes: what a person asks for, as YAML that is checked to the last key before anything runs."""
