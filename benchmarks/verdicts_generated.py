"""Tests that CodeGen-16B wrote for HumanEval: how many are admitted, and what admitting does to wrong verdicts.

python benchmarks/verdicts_generated.py                  16,400 texts; known-wrong answers are recorded completions
python benchmarks/verdicts_generated.py --references 5   the same, with up to four known-right ones beside the reference

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
        others = {task.answer for task, passed in zip(tasks[own], right[own], strict=True) if passed}
        made.append(
            {
                "problem_id": source["task_id"],
                "verifier": reference.verifier,
                "starter_code": source["prompt"],
                "language": "python",
                "reference_solutions": [reference.answer, *sorted(others)],
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


def chosen_by(table: pl.DataFrame, condition: pl.Expr, *order: pl.Expr) -> dict[str, str]:
    """Return the first tests of each problem that hold a condition, in an order."""
    first = table.filter(condition).sort("problem_id", *order, "test").group_by("problem_id", maintain_order=True)
    rows_ = first.agg(pl.col("test").head(_MOST)).iter_rows()
    return {problem: canonical_json([{"code": code} for code in codes]) for problem, codes in rows_}


def suites_with_evidence(table: pl.DataFrame) -> dict[str, dict[str, str]]:
    """Return suites by the rule that chose their tests."""
    often, killed = -pl.col("proposed"), -(pl.col("wrong_killed") + pl.col("mutants_killed"))
    passed, admitted = pl.col("reference") == "AC", pl.col("reason") == "admitted"
    return {
        f"the {_MOST} most proposed that the reference passes": chosen_by(table, passed, often),
        f"the {_MOST} admitted that refuse most each": chosen_by(table, admitted, killed, often),
        f"{_MOST} admitted that refuse most together": admitted_tests(table, _MOST),
        "all admitted": admitted_tests(table, len(table)),
    }


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
        f"{said[False, True]} of {wrong} ({said[False, True] / max(1, wrong):.1%}) "
        f"| {said[True, False]} of {rights} ({said[True, False] / max(1, rights):.1%})"
    )


def main() -> None:
    """Admit tests, count by reason, and judge held-out completions by suites with and without evidence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--problems", type=int, default=164, help="how many of the 164 problems")
    parser.add_argument("--references", type=int, default=1, help="answers known to be right that must pass a test")
    args = parser.parse_args()
    config = Gold(verify=Verify(time_limit_s=1.0, workers=args.workers), references=args.references)
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
        suites = {f"the {_MOST} most proposed": suites_without_evidence(zip(ids, texts, strict=True), names)}
        suites |= suites_with_evidence(table)
        print("| suite | problems | tests | wrong answers accepted | right answers refused |\n|---|---|---|---|---|")
        for rule, suite in suites.items():
            tests = sum(len(json.loads(one)) for one in suite.values()) / max(1, len(suite))
            print(f"| {rule} | {len(suite)} | {tests:.1f} | {held_out(judge, suite, *chosen)} |", flush=True)


if __name__ == "__main__":
    main()
