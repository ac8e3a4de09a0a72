"""Commands that judge: verify answers, admit tests that a model wrote."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import polars as pl
from pydantic import ValidationError

from curation.gold.generated import admit
from curation.judging import judge_all
from curation.verify import Judge, Task
from flows.cli import options
from flows.console import console, print_json, progress_for, table
from schemas.errors import InputError, UsageError
from schemas.recipe.gold import Gold
from schemas.recipe.verify import Verify
from warehouse.house import Warehouse
from warehouse.stages import Services, Workspace

__all__ = ["COMMANDS"]

_isolation = click.option(
    "--isolation",
    type=click.Choice(["auto", "L1", "L2", "L3"]),
    default="auto",
    show_default=True,
    help="Weakest rung that will do.",
)


@click.command()
@click.argument("dataset")
@click.argument("answers", type=click.Path(path_type=Path, dir_okay=False))
@options.warehouse
@options.as_json
@_isolation
@click.option("--time-limit", default=5.0, show_default=True, help="CPU seconds per program.")
def verify(dataset: str, answers: Path, root: Path, *, machine: bool, isolation: str, time_limit: float) -> None:
    """Judge ANSWERS (JSON lines of problem_id and answer) to the problems of DATASET (NAME or NAME@VERSION).

    The warehouse keeps the verdicts: the same command, after a kill as well, judges what has none yet.
    """
    name, ref = options.name_and_ref(dataset)
    warehouse = Warehouse.open(root, read_only=True)
    problems = _problems(warehouse.scan(name, ref))
    given = list(_lines(answers, problems, "answer", str))
    tasks = [Task(*problems[row["problem_id"]], row["answer"]) for row in given]
    settings = _settings(isolation=isolation, time_limit_s=time_limit)
    with TemporaryDirectory() as spare:
        kept = warehouse.workspace if os.access(root, os.W_OK) else Workspace(Path(spare))
        verdicts = list(judge_all(tasks, settings, Services(kept, progress=progress_for(machine=machine))))
    rows = [
        {"problem_id": row["problem_id"], "status": str(one.status), "passed": one.passed, "total": one.total}
        | {"isolation": str(one.isolation), "cpu_ms": one.cpu_ms, "detail": one.detail}
        for row, one in zip(given, verdicts, strict=True)
    ]
    if machine:
        print_json(rows)
        return
    shown = ("problem_id", "status", "passed", "total", "detail")
    table("", shown, ([row[column] for column in shown] for row in rows), right=("passed", "total"))
    console.print(", ".join(f"{count} {status}" for status, count in Counter(row["status"] for row in rows).items()))


def _settings(**given: Any) -> Verify:
    try:
        return Verify.model_validate(given)
    except ValidationError as error:
        fault = error.errors()[0]
        option = str(fault["loc"][0]).removesuffix("_s").replace("_", "-")
        raise UsageError(f"--{option}: {fault['msg']} (got {fault['input']!r}).") from error


def _problems(rows: pl.LazyFrame) -> dict[str, tuple[str, str]]:
    found = rows.select("problem_id", "verifier", "tests").unique("problem_id").collect()
    return {problem: (verifier, tests) for problem, verifier, tests in found.iter_rows()}


def _lines(path: Path, problems: Mapping[str, Any], column: str, kind: type) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines, each of a problem that is known and a column of the right type."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read: {error}.", hint=f"give JSON lines of problem_id and {column}."
        ) from error
    if not any(map(str.strip, lines)):
        raise InputError(f"{path} is empty.", hint=f"give JSON lines of problem_id and {column}.")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            known = row["problem_id"] in problems and isinstance(row[column], kind)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{path}:{number}: not an object with problem_id and {column}: {line[:80]!r}.") from error
        if not known:
            wanted = {str: "text", list: "list"}[kind]
            raise InputError(
                f"{path}:{number}: {row['problem_id']!r} is not in the dataset, or its {column} is no {wanted}."
            )
        yield row


@click.command("admit-tests")
@click.argument("dataset")
@click.argument("texts", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Parquet file to write.")
@options.warehouse
@options.as_json
@_isolation
@click.option("--wrong", default=5, show_default=True, help="Known-wrong answers to try per problem.")
@click.option("--mutants", default=10, show_default=True, help="Mutants of the reference to try per problem.")
def admit_tests(
    dataset: str, texts: Path, out: Path, root: Path, *, machine: bool, isolation: str, wrong: int, mutants: int
) -> None:
    """Admit tests that a model wrote for DATASET by evidence.

    TEXTS holds JSON lines of problem_id and tests, a list of texts; each assert in them is judged on its own.
    """
    name, ref = options.name_and_ref(dataset)
    rows = Warehouse.open(root, read_only=True).scan(name, ref).unique("problem_id").collect()
    problems = {row["problem_id"]: row for row in rows.iter_rows(named=True)}
    config = Gold.model_validate({"wrong": wrong, "mutants": mutants, "verify": {"isolation": isolation}})
    given = list(_lines(texts, problems, "tests", list))
    with Judge(config.verify) as judge:
        judged = pl.concat([admit(problems[row["problem_id"]], row["tests"], judge, config) for row in given])
    judged.write_parquet(out)
    reasons = judged.group_by("reason").agg(tests=pl.len()).sort("tests", "reason", descending=True)
    if machine:
        print_json(reasons.to_dicts())
        return
    table("", ("reason", "tests"), reasons.iter_rows(), right=("tests",))
    console.say(f"evidence for each test: {out}")


COMMANDS = (verify, admit_tests)
