"""Exact and near-duplicate documents, each removal with a kept witness."""
