"""What is redundant: exact and near-duplicate text, with a kept witness for every removal."""
