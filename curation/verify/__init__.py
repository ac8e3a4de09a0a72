"""Verdicts: one interface over the executable-reward sandbox and the answer graders."""
