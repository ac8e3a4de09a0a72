"""Synthetic problems through the whole job: rows, time and memory of every stage, and whether planted truth came out.

    python benchmarks/scale.py [--rows 10000 100000 1000000] [--stages NAME ...] [FOLDER]

Every stage runs in a process of its own, as a recipe's build runs it, so that its peak memory is its own. Only `gold`
and `rollouts` are not judged but made up: test quality, and four rollouts per problem. FOLDER (default: a temporary
one) keeps inputs, warehouse and figures; a second call goes on where the first one stopped, and ``--stages`` limits
it to some. Exits with 1 if planted duplicates or benchmark items came through, or rows were lost.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from rich.console import Console
from rich.table import Table
from scale_problems import BLOCK, EXACT, GROUPS, ITEM_AT, ITEM_EVERY, ITEMS, NEAR, SAME, write_inputs

from curation.gold import GOLD
from curation.rollouts.stage import ROLLOUTS
from curation.sources.stage import READ
from flows import hand_off
from flows.build import Build
from flows.steps import Step
from schemas.ids import canonical_json
from warehouse import explore
from warehouse.house import Warehouse
from warehouse.publish import Published
from warehouse.stages import Services, Stage, StageResult, StageRun, no_decisions

THREADS = {"POLARS_MAX_THREADS": "2", "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
INPUTS = "inputs"
SIZES = (10_000, 100_000, 1_000_000)
ROLLOUTS_EACH = 4


def _ids(rows: pl.LazyFrame, services: Services) -> tuple[str, Path]:
    scratch = services.aside()
    rows.select("problem_id").sink_parquet(scratch / "ids.parquet")
    return f"read_parquet('{scratch / 'ids.parquet'}')", scratch / "made.parquet"


def _copied(query: str, path: Path) -> pl.LazyFrame:
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '1GB'")
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return pl.scan_parquet(path)


def made_quality(inputs: Mapping[str, pl.LazyFrame], config: Any, services: Services) -> StageResult:
    """Stand in for `gold`: every reference passes."""
    del config
    ids, path = _ids(inputs["rows"], services)
    made = f"""
        SELECT problem_id, 2 AS n_tests, 0 AS duplicate_tests, 1 AS "references", 1 AS references_passed, 0 AS wrong,
               0 AS wrong_passed, 10 AS mutants, 5 + md5_number_lower(problem_id) % 6 AS mutants_killed,
               []::VARCHAR[] AS trivial_passed, false AS flaky, 'synthetic' AS verifier_version
        FROM {ids}
    """
    return StageResult(no_decisions(), outputs={"test_quality": _copied(made, path)})


def made_rollouts(inputs: Mapping[str, pl.LazyFrame], config: Any, services: Services) -> StageResult:
    """Stand in for `rollouts`: four answers per problem, right with a chance that is the problem's own."""
    del config
    ids, path = _ids(inputs["rows"], services)
    made = f"""
        SELECT 'r_' || left(md5(problem_id || i), 24) AS rollout_id, problem_id, 'synthetic' AS policy,
               '1' AS policy_revision, 'sampler' AS sampler, i AS sample_index,
               'The answer to ' || problem_id || ' is ' || repeat(i::VARCHAR || ' ', 40) AS response,
               'stop' AS finish_reason, false AS truncated, 100 AS response_chars, 40 AS response_tokens,
               NULL AS request_hash, if(solved, 'AC', 'WA') AS status, 2 * solved::INT AS passed, 2 AS total,
               solved AS all_passed, 'synthetic' AS verifier_version, 'L1' AS isolation, 1.0 AS cpu_ms, NULL AS detail
        FROM (SELECT problem_id, i, md5_number_lower(problem_id || i) % 97 < md5_number_lower(problem_id) % 97 AS solved
              FROM {ids}, range({ROLLOUTS_EACH}) AS samples(i))
    """
    return StageResult(no_decisions(), outputs={"rollouts": _copied(made, path)})


def _stand_in(step: Step) -> Step:
    functions = {GOLD.name: made_quality, ROLLOUTS.name: made_rollouts}
    if step.name not in functions:
        return step
    stage = Stage(step.name, "synthetic", functions[step.name], outputs=step.stage.outputs)
    return replace(step, stage=stage)


class Job:
    """The build of one size, as far as it has come."""

    def __init__(self, folder: Path) -> None:
        self.house = Warehouse.open(folder / "warehouse")
        build = Build.of(folder / "recipe.yaml", self.house.root)
        build = replace(build, steps=tuple(map(_stand_in, build.steps)))
        self.services = Services(self.house.workspace)
        self.build = build.finished(self.services)

    @property
    def stages(self) -> list[str]:
        """All stages in order: those of the build, and what comes after."""
        return [*(step.name for step in self.build.steps), *_AFTER, "truth"]

    def carry_out(self, name: str) -> dict[str, Any]:
        """Do one stage, and tell what went in and was kept."""
        for step in self.build.steps:
            if step.name == name:
                run = step.run(step.tables(self.build.done), self.services)
                return {"in": run.counts["in"], "kept": run.counts["kept"]}
        if name == "truth":
            return {"wrong": list(self.wrong())}
        return {"in": self.build.rows.rows, "kept": _AFTER[name](self)}

    def books(self) -> int:
        """Enter decisions, lineage, rollouts and counts."""
        self.build.keep_books(self.house)
        return self.build.rows.rows

    def publish(self) -> int:
        """Write to a branch, audit, promote."""
        return self.published().version.rows

    def published(self) -> Published:
        """Publish, or find published."""
        return self.build.publish(self.house)

    def release(self) -> int:
        """Write the release folder."""
        return hand_off.release(self.house, self.house.version("scale")).manifest["rows"]

    def export(self) -> int:
        """Write the export for verl."""
        return hand_off.export_all(self.house, self.house.version("scale"), ["verl-rl"])[0].rows

    def views(self) -> int:
        """Write the file for exploration, and count through it."""
        with duckdb.connect(str(explore.write(self.house)), read_only=True) as connection:
            return connection.execute("SELECT count(*) FROM scale").fetchall()[0][0]

    def _kinds(self, stage: str, table: str = "rows") -> pl.DataFrame:
        scan = self.services.workspace.scan(self.build.done[stage].tables[table])
        parts = pl.col("source_id").str.split("-")
        return scan.select(kind=parts.list.first(), group=parts.list.last()).collect()

    def wrong(self) -> Iterator[str]:
        """Yield what is not as it was planted."""
        runs = self.build.done
        blocks = runs[READ.name].counts["in"] // BLOCK
        duplicates = {"exact_duplicate": EXACT * blocks, "near_duplicate": NEAR * blocks}
        groups = GROUPS * blocks
        contaminated = min(-(-(groups - ITEM_AT) // ITEM_EVERY), sum(ITEMS.values()))
        left, gone = self._kinds("dedup"), self._kinds("decontaminate", "dropped")
        version = self.house.version("scale")
        release = hand_off.release(self.house, version).manifest
        pairs = {
            "same problem rejected": (SAME * blocks, runs[READ.name].counts["rejected"]),
            "duplicates dropped": (duplicates, runs["dedup"].counts["dropped"]),
            "one row per group": (groups, left["group"].n_unique()),
            "no second row of a group": (groups, left.height),
            "benchmark items dropped": (contaminated, gone.filter(kind="item").height),
            "nothing else dropped as contaminated": (contaminated, gone.height),
            "release holds the version": (version.content_hash, release["content_hash"]),
        }
        yield from (f"{name}: {e!r} expected, {a!r} found" for name, (e, a) in pairs.items() if e != a)
        yield from (f"{name} lost rows: {run.counts}" for name, run in runs.items() if _lost(run))


_AFTER = {"books": Job.books, "publish": Job.publish, "release": Job.release, "export": Job.export, "views": Job.views}


def _lost(run: StageRun) -> int:
    counts = run.counts
    out = sum(counts["dropped"].values()) + counts["failed"] + counts.get("rejected", 0)
    return counts["in"] - counts["kept"] - out


def child(folder: Path, name: str) -> None:
    """Do one stage in this process and print its figures as JSON."""
    if name == INPUTS:
        write_inputs(folder, int(folder.name))
        return
    job = Job(folder)
    before, began = _cpu(), time.monotonic()
    told = job.carry_out(name)
    figures = {"seconds": time.monotonic() - began, "cpu": _cpu() - before}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(canonical_json({"stage": name, **told, **figures, "rss": peak}))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(folder: Path, stages: list[str]) -> dict[str, dict[str, Any]]:
    """Return the figures of each stage, carrying out those that have none yet."""
    if not (folder / "recipe.yaml").exists():
        _alone(INPUTS, folder)
    kept = folder / "figures"
    kept.mkdir(exist_ok=True)
    found = {}
    for name in Job(folder).stages:
        path = kept / f"{name}.json"
        if not path.exists() and (not stages or name in stages):
            path.write_text(_alone(name, folder))
            print(f"{folder.name}: {path.read_text().strip()}", file=sys.stderr, flush=True)
        if path.exists():
            found[name] = json.loads(path.read_text())
    return found


def _alone(name: str, folder: Path) -> str:
    """Do one stage in a process of its own, with two threads, and return what it prints."""
    command = [sys.executable, __file__, "--child", name, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | THREADS)
    return done.stdout


def show(figures: Mapping[int, Mapping[str, Mapping[str, Any]]]) -> None:
    """Print a table of all sizes: per stage the rows, time and memory, and the growth of CPU time per size."""
    table = Table(title="Each stage in a process of its own", title_justify="left")
    for name in ("rows", "stage", "in", "kept", "wall s", "CPU s", "CPU growth", "us/row", "peak MB"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    before: Mapping[str, Mapping[str, Any]] = {}
    for rows, stages in figures.items():
        for name, told in stages.items():
            if name == "truth":
                continue
            growth = f"x {told['cpu'] / before[name]['cpu']:.1f}" if name in before else ""
            times = f"{told['seconds']:.1f}", f"{told['cpu']:.1f}", growth, f"{told['cpu'] / told['in'] * 1e6:.0f}"
            table.add_row(f"{rows:,}", name, f"{told['in']:,}", f"{told['kept']:,}", *times, f"{told['rss']:.0f}")
        table.add_section()
        before = stages
    Console(width=120).print(table)


def main() -> int:
    """Measure all sizes; return 1 if something planted came through."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES, help="multiples of 100")
    parser.add_argument("--stages", nargs="+", default=[])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("folder", type=Path, nargs="?")
    given = parser.parse_args()
    if given.child:
        child(given.folder, given.child)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        home = given.folder or Path(scratch)
        figures = {rows: measured(home / str(rows), given.stages) for rows in given.rows}
    show(figures)
    wrong = [f"{rows}: {one}" for rows, told in figures.items() for one in told.get("truth", {}).get("wrong", [])]
    print("\n".join(wrong) or "planted truth: as expected")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
