"""CPU per program of evalplus on programs for HumanEval; run by `verdicts.py speed` in evalplus's own environment.

Inputs and results are recorded from the official checks, as evalplus keeps them, before anything is measured.
"""

from __future__ import annotations

import contextlib
import copy
import gzip
import json
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from evalplus.eval import untrusted_check


def recorded(problem: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Return inputs and results of one problem's official check."""
    program = problem["prompt"] + problem["canonical_solution"]
    namespace: dict[str, Any] = {}
    exec(program + problem["test"], namespace)
    inputs, results = [], []

    def candidate(*args: Any) -> Any:
        inputs.append(copy.deepcopy(list(args)))
        results.append(namespace[problem["entry_point"]](*args))
        return results[-1]

    with contextlib.suppress(AssertionError):
        namespace["check"](candidate)
    return inputs, results


def judge(task: tuple[str, str, list[Any], list[Any]]) -> str:
    """Judge one program as `evalplus.evaluate` does."""
    program, entry_point, inputs, expected = task
    return untrusted_check(
        "humaneval", program, inputs, entry_point, expected, 0, [0.01] * len(inputs), fast_check=True
    )[0]


def cpu_s() -> float:
    """Return the CPU seconds of this process and all its ended children."""
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Judge the programs once to start up, then five times, and print the cost of the difference."""
    with gzip.open(sys.argv[1], "rt") as file:
        problems = {problem["task_id"]: problem for problem in map(json.loads, file)}
    programs = json.loads(Path(sys.argv[2]).read_text())
    checks = {name: recorded(problem) for name, problem in problems.items()}
    tasks = [(text, problems[name]["entry_point"], *checks[name]) for name, text in programs if checks[name][0]]
    figures = []
    for repeat in (1, 5):
        before, began = cpu_s(), time.monotonic()
        with ProcessPoolExecutor(int(sys.argv[3])) as pool:
            said = list(pool.map(judge, tasks * repeat))
        figures.append((cpu_s() - before, time.monotonic() - began, len(said)))
    (c1, w1, n1), (c5, w5, n5) = figures
    print(
        f"evalplus {(c5 - c1) / (n5 - n1) * 1e3:.2f} CPU-ms per program, {(n5 - n1) / (w5 - w1):.0f} programs/s,",
        end=" ",
    )
    print(f"{said.count('pass')} of {len(said)} passed, no isolation")


if __name__ == "__main__":
    main()
