"""Retention: the optimiser beside greedy deletion, and a generated lake thinned out and brought back bit for bit.

    python benchmarks/retention.py optimise [TABLES ...]
    python benchmarks/retention.py lake [TABLES] [ROWS] [SEED]

Nothing but an error is printed, and the exit code is 1, if an answer is not the best there is, if a table that was
deleted does not come back with every byte, or if any other file was touched.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from dedup.lake.contain import contain
from dedup.lake.survey import survey
from dedup.retention.planning.graph import Graph
from dedup.retention.planning.optimise import greedy, optimal
from dedup.retention.planning.plan import Plan, Planner
from dedup.retention.recipes.sources import Sources
from dedup.retention.recipes.store import Recipes
from dedup.retention.trash.deletion import Keeper
from schemas.recipe.lake import Lake
from schemas.recipe.retention import Retention, Use
from warehouse.progress import Silent
from warehouse.stages import Services, Workspace

SIZES = (1_000, 5_000, 20_000)
EDGES_PER_TABLE = 2.5
RARELY_USED = Retention(use=Use(accesses=0.01))
AFTER = timedelta(days=30)


def random_graph(tables: int) -> Graph:
    """Return tables of sizes over five decades, each rebuilt from a few larger ones at a cost drawn at random."""
    draw = np.random.default_rng(tables)
    sizes = np.sort(10 ** draw.uniform(0, 5, tables))[::-1]
    names = [f"t{number:06}" for number in range(tables)]
    rebuild = {}
    for _ in range(int(EDGES_PER_TABLE * tables)):
        parent, child = sorted(draw.choice(tables, 2, replace=False).tolist())
        rebuild[names[parent], names[child]] = float(sizes[child] * draw.uniform(0.05, 1.1))
    return Graph(dict(zip(names, sizes.tolist(), strict=True)), rebuild)


def optimise(sizes: Sequence[int]) -> int:
    """Print the optimiser's cost and time beside greedy's."""
    shown = Table(title="Cheapest set of tables to keep, of random graphs")
    for column in ("tables", "edges", "CPU-s", "cost", "greedy CPU-s", "greedy costs more"):
        shown.add_column(column, justify="right")
    for size in sizes:
        graph = random_graph(size)
        began = time.process_time()
        best = optimal(graph)
        between = time.process_time()
        quick = greedy(graph)
        ended = time.process_time()
        if abs(best.cost - best.bound) > 1e-9 * best.cost or quick.cost < best.cost * (1 - 1e-9):
            print(f"{size} tables: cost {best.cost}, bound {best.bound}, greedy {quick.cost}", file=sys.stderr)
            return 1
        more = quick.cost / best.cost - 1
        figures = (f"{between - began:.2f}", f"{best.cost:,.0f}", f"{ended - between:.2f}", f"{more:.1%}")
        shown.add_row(f"{size:,}", f"{len(graph.rebuild):,}", *figures)
    Console(width=110).print(shown)
    return 0


def lake(tables: int, rows: int, seed: int) -> int:
    """Thin out a generated lake, purge the trash, rebuild every table, and compare every byte."""
    with tempfile.TemporaryDirectory() as folder:
        root, scratch = Path(folder) / "lake", Path(folder) / "scratch"
        scratch.mkdir()
        generator = Path(__file__).with_name("lakebench.py")
        subprocess.run([sys.executable, str(generator), *map(str, (root, tables, rows, seed))], check=True)
        before, spent = hashes(root), {}
        recipes = Recipes(Path(folder) / "recipes.sqlite")
        plan = timed(spent, "plan", lambda: planned(root, scratch, recipes))
        timed(spent, "delete", lambda: deleted(root, plan, recipes))
        timed(spent, "rebuild", lambda: rebuilt(root))
        if hashes(root) != before:
            print("the lake is not what it was; no figure is printed", file=sys.stderr)
            return 1
        show(plan, spent)
    return 0


def hashes(root: Path) -> dict[str, str]:
    """Return the digest of every file of a lake."""
    files = (path for path in root.rglob("*") if path.is_file() and ".sluice" not in path.parts)
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def timed(spent: dict[str, float], what: str, work) -> object:  # noqa: ANN001 - any work
    """Do something, and note the CPU seconds it took."""
    began = time.process_time()
    found = work()
    spent[what] = time.process_time() - began
    return found


def planned(root: Path, scratch: Path, recipes: Recipes) -> Plan:
    """Return the plan of a lake, containment included."""
    services, config = Services(Workspace(scratch)), Lake(path=str(root), near=None, suggest_columns=False)
    found = contain(survey(config, services), config, services)
    known = {table.name: table for table in found.survey.tables}
    where = {"recipes": recipes, "sources": Sources(root, scratch), "scratch": scratch, "progress": Silent()}
    return Planner(known, found.edges, RARELY_USED, **where).plan()


def deleted(root: Path, plan: Plan, recipes: Recipes) -> None:
    """Delete what the plan says, and free the trash."""
    with Keeper.of(root) as keeper:
        for one in plan.deletions:
            if keeper.delete(one.recipe, recipes, days=7).outcome != "deleted":
                sys.exit(f"{one.table} was refused")
        for table in list(keeper.deleted):
            if keeper.purge(table, now=datetime.now(UTC) + AFTER).outcome != "purged":
                sys.exit(f"{table} was not purged")


def rebuilt(root: Path) -> None:
    """Bring every table back."""
    with Keeper.of(root) as keeper:
        for table in list(keeper.deleted):
            keeper.rebuild(table)


def show(plan: Plan, spent: dict[str, float]) -> None:
    """Print what went, what that freed and what it took."""
    gone = plan.deletions
    methods = Counter(one.recipe.method for one in gone)
    shown = Table(title=f"{plan.tables:,} tables of {plan.bytes / 1e6:.1f} MB, thinned out and brought back")
    for column in ("what", "figure"):
        shown.add_column(column, justify="right" if column == "figure" else "left")
    for what, figure in (
        ("tables deleted", f"{len(gone):,}"),
        ("... by recipe of rows / copy / bytes", f"{methods['rows']:,} / {methods['copy']:,} / {methods['bytes']:,}"),
        ("their bytes", f"{sum(one.bytes for one in gone):,}"),
        ("bytes of their recipes", f"{sum(one.recipe_bytes for one in gone):,}"),
        ("freed", f"{plan.freed:,}"),
        ("share of the lake freed", f"{plan.freed / plan.bytes:.1%}"),
        ("contained, and kept", ", ".join(f"{n:,} {why}" for why, n in sorted(Counter(plan.refused.values()).items()))),
        ("rebuilt bit for bit", f"{len(gone):,} of {len(gone):,}"),
        ("CPU-s: containment, plan and recipes", f"{spent['plan']:.1f}"),
        ("CPU-s: check, delete and purge", f"{spent['delete']:.1f}"),
        ("CPU-s: rebuild all", f"{spent['rebuild']:.1f}"),
    ):
        shown.add_row(what, figure)
    Console(width=110).print(shown)


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("optimise").add_argument("sizes", type=int, nargs="*", default=SIZES)
    of_lake = commands.add_parser("lake")
    for name, default in (("tables", 300), ("rows", 3_700), ("seed", 1)):
        of_lake.add_argument(name, type=int, nargs="?", default=default)
    given = parser.parse_args()
    if given.command == "optimise":
        return optimise(given.sizes)
    return lake(given.tables, given.rows, given.seed)


if __name__ == "__main__":
    sys.exit(main())
