"""Verdicts: one interface over the executable-reward sandbox and the answer graders."""

from curation.verify.judge import Judge
from curation.verify.judgement import VERIFIER_VERSION, Judgement, Task

__all__ = ["VERIFIER_VERSION", "Judge", "Judgement", "Task"]
