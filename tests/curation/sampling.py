"""Run as a program: the rollouts stage against an endpoint, telling each step, so that it can be killed at any.

Usage: ``sampling.py WAREHOUSE URL LOG``; each program that reaches the sandbox adds a line to LOG.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from curation import judging
from curation.rollouts.stage import ROLLOUTS
from curation.verify import Judge, Judgement, Task
from schemas.recipe.rollouts import OpenAI, Rollouts
from schemas.recipe.verify import Verify
from tests.curation.code_problems import problems_stored, stream
from warehouse.progress import Silent
from warehouse.runner import run_stage
from warehouse.stages import Services, Workspace

PROBLEMS = 10
BATCH = 8
CONCURRENCY = 2


class _Telling(Silent):
    """Prints a line at every step."""

    def advance(self, task: str, done: int = 1, **figures: float) -> None:
        sys.stdout.write(f"{task} {done} {figures}\n")
        sys.stdout.flush()


def _logging(path: Path) -> type[Judge]:
    class Logging(Judge):
        def judge(self, tasks: Iterable[Task]) -> Iterator[Judgement]:
            for task, judgement in zip(given := list(tasks), super().judge(given), strict=True):
                with path.open("a") as log:
                    log.write(f"{hash((task.verifier, task.tests, task.answer))}\n")
                yield judgement

    return Logging


def run(root: Path, url: str, log: Path) -> tuple[str, int]:
    """Run the stage and return its rollouts' content hash and number."""
    judging.Judge = _logging(log)
    judging._BATCH = BATCH
    workspace = Workspace(root)
    policy = OpenAI(
        backend="openai",
        name="made",
        base_url=url,
        program="answer",
        per_request=4,
        concurrency=CONCURRENCY,
        attempts=2,
    )
    config = Rollouts(policies=(policy,), escalation={"levels": [4, 12]}, verify=Verify(workers=1))
    rows = problems_stored(workspace, [stream(number) for number in range(PROBLEMS)])
    table = run_stage(ROLLOUTS, {"rows": rows}, config, Services(workspace, progress=_Telling())).tables["rollouts"]
    return table.content_hash, table.rows


if __name__ == "__main__":
    content, rows = run(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
    sys.stdout.write(f"done {content} {rows}\n")
