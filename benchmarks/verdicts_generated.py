"""Tests that CodeGen-16B wrote for HumanEval: how many are admitted, and what admitting does to wrong verdicts.

python benchmarks/verdicts_generated.py              16,400 texts; known-wrong answers are recorded completions

The official suites tell right completions from wrong ones. Some wrong ones are evidence for admitting; others, held
out, show how often a suite of generated tests accepts what is wrong, and refuses what is right.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import polars as pl
from verdicts import completions, human_eval, rows

from curation.gold.generated import admit, admitted_tests, proposals
from curation.verify import Judge, Task
from schemas.ids import canonical_json
from schemas.recipe.gold import Gold
from schemas.recipe.verify import Verify

_EVIDENCE, _HELD_OUT = 12, 12
"""Recorded completions per problem whose verdict is evidence, and that are held out."""
_MOST = 10
"""Tests in a suite."""


def problem_rows(names: list[str], tasks: list[Task], right: list[bool], most: int) -> list[dict[str, Any]]:
    """Return the problems with the known-wrong answers among the first recorded completions."""
    made = []
    sources = sorted(rows("humaneval.jsonl.gz"), key=lambda problem: problem["task_id"])[:most]
    for number, source in enumerate(sources):
        reference = human_eval(source, source["canonical_solution"])
        own = slice(number * (_EVIDENCE + _HELD_OUT), number * (_EVIDENCE + _HELD_OUT) + _EVIDENCE)
        wrong = {task.answer for task, passed in zip(tasks[own], right[own], strict=True) if not passed}
        made.append(
            {
                "problem_id": source["task_id"],
                "verifier": reference.verifier,
                "starter_code": source["prompt"],
                "language": "python",
                "reference_solutions": [reference.answer],
                "wrong_solutions": sorted(wrong),
            }
        )
        names.append(source["entry_point"])
    return made


def suites_without_evidence(texts: Iterable[tuple[str, list[str]]], names: list[str]) -> dict[str, str]:
    """Return the tests most often proposed for each problem."""
    suites = {}
    for (problem, samples), name in zip(texts, names, strict=True):
        often = sorted(proposals(samples, name), key=lambda test: (-test.proposed, test.code))[:_MOST]
        suites[problem] = canonical_json([{"code": test.code} for test in often])
    return suites


def held_out(judge: Judge, suites: dict[str, str], tasks: list[Task], ids: list[str], right: list[bool]) -> str:
    """Return how many wrong answers suites accept, and how many right ones they refuse."""
    asked = [
        (task, ok) for task, problem, ok in zip(tasks, ids, right, strict=True) if suites.get(problem, "[]") != "[]"
    ]
    tests = [suites[problem] for problem in ids if suites.get(problem, "[]") != "[]"]
    judged = judge.judge(Task(task.verifier, suite, task.answer) for (task, _), suite in zip(asked, tests, strict=True))
    said = Counter((ok, bool(found.all_passed)) for (_, ok), found in zip(asked, judged, strict=True))
    wrong, rights = said[False, True] + said[False, False], said[True, True] + said[True, False]
    return (
        f"{said[False, True]} of {wrong} wrong answers accepted ({said[False, True] / wrong:.1%}), "
        f"{said[True, False]} of {rights} right ones refused ({said[True, False] / rights:.1%})"
    )


def main() -> None:
    """Admit tests, count by reason, and judge held-out completions by suites with and without evidence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--problems", type=int, default=164, help="how many of the 164 problems")
    args = parser.parse_args()
    config = Gold(verify=Verify(time_limit_s=1.0, workers=args.workers))
    each = _EVIDENCE + _HELD_OUT
    tasks = [task for number, task in enumerate(completions()) if number % 100 < each and number < 100 * args.problems]
    texts = [["assert " + re.sub(r"assert\s+", "assert ", text) for text in row["samples"]]
             for row in rows("humaneval_codegen16b_generated_tests.jsonl.gz")[: args.problems]]  # fmt: skip
    with Judge(config.verify) as judge:
        right = [bool(found.all_passed) for found in judge.judge(tasks)]
        names: list[str] = []
        problems = problem_rows(names, tasks, right, args.problems)
        table = pl.concat([admit(*pair, judge, config) for pair in zip(problems, texts, strict=True)])
        print(f"{sum(map(len, texts))} texts, {len(table)} distinct tests of {table['problem_id'].n_unique()} problems")
        for reason, count in table.group_by("reason").len().sort("len", descending=True).iter_rows():
            print(f"    {reason}: {count}")
        ids = [problem["problem_id"] for problem in problems]
        later = [number for number in range(len(tasks)) if number % each >= _EVIDENCE]
        chosen = [tasks[i] for i in later], [ids[i // each] for i in later], [right[i] for i in later]
        raw = suites_without_evidence(zip(ids, texts, strict=True), names)
        admitted = admitted_tests(table, _MOST)
        print(f"suites of the {_MOST} tests most proposed, {len(raw)} problems: {held_out(judge, raw, *chosen)}")
        print(f"suites of {_MOST} admitted tests, {len(admitted)} problems: {held_out(judge, admitted, *chosen)}")
        both = {problem: suite for problem, suite in raw.items() if problem in admitted}
        print(f"    the former on the same {len(both)} problems: {held_out(judge, both, *chosen)}")
        print(
            json.dumps(
                {"tests per suite": round(sum(len(json.loads(s)) for s in admitted.values()) / len(admitted), 1)}
            )
        )


if __name__ == "__main__":
    main()
