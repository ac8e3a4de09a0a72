"""What the stage `gold` says of real problems, and of the same problems spoiled on purpose.

python benchmarks/verdicts_quality.py --problems 164       HumanEval with recorded wrong completions, and MBPP

Each way of spoiling must be found wherever it was done: the command exits with 1 if one is not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from verdicts import asserts, completions, entry_of, human_eval, rows

from curation.gold import check
from curation.verify import Judge, Task
from schemas.recipe.gold import Gold
from schemas.recipe.verify import Verify
from warehouse.stages import Services, Workspace

_PER_PROBLEM, _SAMPLES = 100, 12
Row = dict[str, Any]


def _row(name: str, task: Task, wrong: list[str] | None = None) -> Row:
    asked = {"prompt": [{"role": "user", "content": name}], "starter_code": None, "language": "python"}
    judged = {"verifier": task.verifier, "tests": task.tests, "reference_solutions": [task.answer]}
    return {"problem_id": name, **asked, **judged, "wrong_solutions": wrong or []}


def human_evals(most: int, settings: Verify) -> list[Row]:
    """Return HumanEval with the recorded completions that the official suites refuse, a few per problem."""
    sources = sorted(rows("humaneval.jsonl.gz"), key=lambda problem: problem["task_id"])[:most]
    drawn = (task for number, task in enumerate(completions()) if number % _PER_PROBLEM < _SAMPLES)
    tried = [task for _, task in zip(range(most * _SAMPLES), drawn, strict=False)]
    with Judge(settings) as judge:
        right = [bool(found.all_passed) for found in judge.judge(tried)]
    made = []
    for at, source in enumerate(sources):
        own = slice(at * _SAMPLES, (at + 1) * _SAMPLES)
        wrong = [task.answer for task, passed in zip(tried[own], right[own], strict=True) if not passed]
        made.append(_row(source["task_id"], human_eval(source, source["canonical_solution"]), wrong))
    return made


def mbpp(most: int) -> list[Row]:
    """Return MBPP's problems, each test an assert of its own."""
    return [
        _row(
            f"mbpp/{source['task_id']}",
            asserts(
                source["code"],
                [f"{source['test_setup_code']}\n{test}" for test in source["test_list"]],
                entry_of(source["code"], source["test_list"]),
            ),
        )
        for source in rows("mbpp.jsonl.gz")[:most]
    ]


def _with_tests(row: Row, change: Callable[[list[Row]], list[Row]]) -> Row:
    return {**row, "tests": json.dumps(change(json.loads(row["tests"])))}


def _flipping(row: Row) -> Row:
    coin = "import os as _os\nif _os.urandom(8)[0] % 2: raise ValueError\n"
    return {**row, "reference_solutions": [coin + row["reference_solutions"][0]]}


def _contradicting(row: Row) -> Row:
    call = f"{json.loads(row['verifier'])['entry_point']}()"
    return _with_tests(row, lambda _: [{"code": f"assert {call} == {n}"} for n in (1, 2)])


def _blunt(row: Row) -> Row:
    name = json.loads(row["verifier"])["entry_point"]
    return _with_tests(row, lambda _: [{"code": f"try: {name}()\nexcept Exception: pass"}])


SPOILED: dict[str, Callable[[Row], Row]] = {
    "no_tests": lambda row: _with_tests(row, lambda _: []),
    "duplicate_tests": lambda row: _with_tests(row, lambda tests: tests * 2),
    "contradictory_tests": _contradicting,
    "trivial_passes": _blunt,
    "reference_fails": lambda row: {**row, "reference_solutions": ["raise ValueError"]},
    "invalid_problem": lambda row: {**row, "verifier": row["verifier"].replace("asserts", "guesses")},
}
"""Ways of spoiling a problem, by the reason that must be given."""


def examined(problems: list[Row], config: Gold) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the table ``test_quality`` and the decisions of the stage."""
    with tempfile.TemporaryDirectory() as folder:
        result = check({"rows": pl.LazyFrame(problems)}, config, Services(Workspace(Path(folder))))
        return result.outputs["test_quality"].collect(), result.decisions.collect()


def report(name: str, quality: pl.DataFrame, decisions: pl.DataFrame) -> None:
    """Print every column summed up, and the decisions by reason."""
    sums = quality.select(pl.col(pl.Int64, pl.Boolean).cast(pl.Int64).sum())
    weak = quality.filter(pl.col("mutants_killed") < pl.col("mutants")).height
    print(f"{name}: {quality.height} problems {sums.row(0, named=True)}")
    print(f"    trivial programs accepted by {quality.filter(pl.col('trivial_passed').list.len() > 0).height}")
    print(
        f"    a mutant survives in {weak}; decisions {dict(decisions['reason'].value_counts().sort('reason').rows())}"
    )


def main() -> None:
    """Examine real problems, then spoiled ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=164, help="how many of each set")
    parser.add_argument("--workers", type=int)
    args = parser.parse_args()
    config = Gold(verify=Verify(time_limit_s=3.0, workers=args.workers))
    simple = mbpp(args.problems)
    report("HumanEval", *examined(human_evals(args.problems, config.verify), config))
    report("MBPP", *examined(simple, config))
    missed = 0
    for reason, spoil in SPOILED.items():
        _, decisions = examined([spoil(row) for row in simple[:20]], config.model_copy(update={"mutants": 0}))
        found = decisions.filter(pl.col("reason") == reason)["record_id"].n_unique()
        missed += len(simple[:20]) - found
        print(f"spoiled, {reason}: {found} of {len(simple[:20])} found")
    quality, _ = examined([_flipping(row) for row in simple[:20]], config.model_copy(update={"mutants": 0}))
    print(f"references that flip a coin: {quality['flaky'].sum()} of 20 found in two runs, half expected")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
