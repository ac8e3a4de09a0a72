"""The plan: which tables would go, what that saves, how each comes back, and why each other contained table stays."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dedup.lake.files.tables import Table
from dedup.retention.planning.costs import keep_cost, rebuild_cost, rebuild_seconds, use_of
from dedup.retention.planning.graph import Graph, Retained
from dedup.retention.planning.optimise import greedy, optimal
from dedup.retention.planning.options import Options, Reason, options
from dedup.retention.recipes.derive import Pair, derive
from dedup.retention.recipes.recipe import Recipe
from dedup.retention.recipes.sources import Sources
from dedup.retention.recipes.store import LEAST, Priced, Recipes
from schemas.recipe.retention import Retention
from schemas.retention import RETENTION
from warehouse.progress import Progress

__all__ = ["Deletion", "Plan", "Planner", "retention_frame"]

_TASK = "recipes"


@dataclass(frozen=True, slots=True)
class Deletion:
    """A table that the plan deletes.

    Parameters
    ----------
    bytes
        Size of its files.
    recipe_bytes
        Size of its recipe.
    keep_cost, rebuild_cost
        Money a month.
    seconds
        How long it takes to rebuild.
    """

    recipe: Recipe
    bytes: int
    recipe_bytes: int
    keep_cost: float
    rebuild_cost: float
    seconds: float

    @property
    def table(self) -> str:
        """Its name."""
        return self.recipe.table


@dataclass(frozen=True)
class Plan:
    """What retention decided; nothing has been done yet.

    Parameters
    ----------
    deletions
        In order of names.
    refused
        Why each other table that is contained in some table stays.
    tables, bytes
        How many the lake has, and their size.
    cost
        Money a month for what the plan keeps and rebuilds.
    bound
        No plan costs less.
    greedy
        What deleting the largest saving first would come to.
    before
        Money a month for keeping every table.
    """

    deletions: tuple[Deletion, ...]
    refused: Mapping[str, Reason]
    tables: int
    bytes: int
    cost: float
    bound: float
    greedy: float
    before: float

    @property
    def freed(self) -> int:
        """Bytes that are freed once the trash is purged: those of the tables less those of their recipes."""
        return sum(one.bytes - one.recipe_bytes for one in self.deletions)

    @property
    def gap(self) -> float:
        """How much more of the saving the plan finds than greedy deletion, as a share of greedy's."""
        ours, theirs = self.before - self.cost, self.before - self.greedy
        return ours / theirs - 1 if theirs > 0 else 0.0


class Planner:
    """Finds the cheapest plan whose every recipe is known to work.

    A recipe's size is known only once it is made. So the cheapest plan is found as if recipes took next to nothing,
    the recipes that it needs are made, and it is found again at what they take, until it needs no unknown one: what
    is still unknown can only be dearer, so that plan is the cheapest of all.

    Parameters
    ----------
    tables
        All tables of the lake, by name.
    edges
        As the contract ``containment`` has them.
    recipes
        Where recipes are kept between plans.
    """

    def __init__(  # noqa: PLR0913 - all that a plan follows from
        self,
        tables: Mapping[str, Table],
        edges: pl.DataFrame,
        config: Retention,
        *,
        recipes: Recipes,
        sources: Sources,
        scratch: Path,
        progress: Progress,
    ) -> None:
        self.tables = tables
        self.edges = edges
        self.config = config
        self.recipes = recipes
        self.sources = sources
        self.scratch = scratch
        self.progress = progress
        self._priced: dict[tuple[str, str], Priced] = {}
        self._policy = edges["policy"][0] if edges.height else "strict"

    def plan(self, needed: Collection[str] = ()) -> Plan:
        """Return the cheapest plan, making the recipes that it needs.

        Parameters
        ----------
        needed
            Tables that deleted ones are rebuilt from: they stay.
        """
        found = options(self.tables, self.edges, self.config, self.sources.root, needed)
        graph, best = self._settled(found)
        givers = set(best.parents.values())
        stays = {name: Reason.PARENT if name in givers else Reason.CHEAPEST for name in found.parents}
        refused = {name: why for name, why in (stays | found.refused).items() if name not in best.parents}
        before = math.fsum(self._keep(table) for table in self.tables.values())
        fixed = before - math.fsum(graph.keep.values())
        return Plan(
            deletions=tuple(self._deletion(child, parent) for child, parent in sorted(best.parents.items())),
            refused=dict(sorted(refused.items())),
            tables=len(self.tables),
            bytes=sum(table.bytes for table in self.tables.values()),
            cost=best.cost + fixed,
            bound=best.bound + fixed,
            greedy=greedy(graph).cost + fixed,
            before=before,
        )

    def _settled(self, found: Options) -> tuple[Graph, Retained]:
        """Make recipes until the cheapest answer needs none that was not made."""
        self.progress.start(_TASK, None, "recipes")
        while True:
            graph = self._graph(found)
            best = optimal(graph)
            unknown = [pair for pair in _pairs(best) if pair not in self._priced]
            if not unknown:
                self.progress.finish(_TASK, f"{len(best.parents):,} tables can be rebuilt bit for bit")
                return graph, best
            for parent, child in unknown:
                self._price(parent, child, found)

    def _price(self, parent: str, child: str, found: Options) -> None:
        """Make a recipe, or find the one made before; a pair without one is no option any more."""
        pair = Pair(self.tables[child], self.tables[parent], self._policy)
        priced = self.recipes.find(pair.id) or derive(pair, self.recipes, self.sources, self.scratch)
        self._priced[parent, child] = priced
        if priced.refused:
            found.parents[child].remove(parent)
            found.refused[child] = Reason(priced.refused)
        self.progress.advance(_TASK)

    def _graph(self, found: Options) -> Graph:
        names = {*found.parents, *(parent for parents in found.parents.values() for parent in parents)}
        keep = {name: self._keep(self.tables[name]) for name in sorted(names)}
        rebuild = {
            (parent, child): self._rebuild(parent, child)
            for child, parents in found.parents.items()
            for parent in parents
        }
        return Graph(keep, rebuild)

    def _keep(self, table: Table) -> float:
        return keep_cost(table.bytes, use_of(table.name, self.config), self.config)

    def _rebuild(self, parent: str, child: str) -> float:
        priced = self._priced.get((parent, child))
        size = priced.bytes if priced else LEAST
        use = use_of(child, self.config)
        return rebuild_cost(self.tables[parent].bytes, self.tables[child].bytes, size, use, self.config)

    def _deletion(self, child: str, parent: str) -> Deletion:
        priced = self._priced[parent, child]
        table = self.tables[child]
        return Deletion(
            recipe=priced.recipe,  # type: ignore[arg-type] - a refused pair is no option
            bytes=table.bytes,
            recipe_bytes=priced.bytes,
            keep_cost=self._keep(table),
            rebuild_cost=self._rebuild(parent, child),
            seconds=rebuild_seconds(self.tables[parent].bytes, table.bytes, self.config),
        )


def _pairs(best: Retained) -> list[tuple[str, str]]:
    """Return parent and child of each deletion, those of one parent together, for it is read once."""
    return sorted((parent, child) for child, parent in best.parents.items())


def retention_frame(plan: Plan, tables: Mapping[str, Table], config: Retention) -> pl.DataFrame:
    """Return a plan as the contract ``retention`` has it."""
    rows = [
        {
            "table": one.table,
            "verdict": "delete",
            "reason": "redundant",
            "bytes": one.bytes,
            "keep_cost": one.keep_cost,
            "parent": one.recipe.parent,
            "parent_version": one.recipe.parent_version,
            "recipe": one.recipe.summary,
            "recipe_bytes": one.recipe_bytes,
            "rebuild_cost": one.rebuild_cost,
            "rebuild_seconds": one.seconds,
        }
        for one in plan.deletions
    ]
    rows += [
        {
            "table": name,
            "verdict": "keep",
            "reason": why.value,
            "bytes": tables[name].bytes,
            "keep_cost": keep_cost(tables[name].bytes, use_of(name, config), config),
        }
        for name, why in plan.refused.items()
    ]
    return pl.DataFrame(rows, schema=pl.Schema(RETENTION.arrow)).sort("table")
