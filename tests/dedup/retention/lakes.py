"""Small lakes on disk, and what a scan says of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from dedup.lake.files.storage import Storage
from dedup.lake.files.tables import Table, grouped, joined
from dedup.lake.fingerprints.store import Store
from dedup.lake.scan import scan
from dedup.retention.recipes.derive import Pair, derive
from dedup.retention.recipes.recipe import Recipe
from dedup.retention.recipes.sources import Sources
from dedup.retention.recipes.store import Priced, Recipes
from schemas.lake import CONTAINMENT
from warehouse.engines import LocalEngine
from warehouse.progress import Silent

ROWS = 400


def people(rows: int = ROWS) -> pl.DataFrame:
    """A table with text that wants quotes, nulls, empty texts, repeated rows and numbers."""
    numbers = pl.int_range(rows, eager=True)
    return pl.DataFrame(
        {
            "id": numbers // 2,
            "name": [["Ada", 'Grace "Amazing" Hopper', "Hopper, Grace", "é\nline", "", None][n % 6] for n in numbers],
            "score": [None if n % 7 == 0 else round(n / 7, 3) for n in numbers // 2],
            "when": pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 1) + pl.duration(days=rows - 1), eager=True),
            "flag": numbers % 2 == 0,
        }
    )


def tables_of(root: Path) -> dict[str, Table]:
    """Return the tables of a lake by name; a lake of tests holds nothing else."""
    storage = Storage(str(root))
    tables, _ = grouped(file for file in storage.files() if not file.name.startswith(".sluice/"))
    store = Store(root.parent / f"{root.name}-prints", "lossless")
    files = [(file, table.format) for table in tables for file in table.files]
    found = scan(files, storage, store, 1 << 20, LocalEngine(), Silent())
    whole = [joined(table, [found[file].print for file in table.files]) for table in tables]
    return {table.name: table for table in whole if isinstance(table, Table)}


def edges(pairs: Iterable[tuple[str, str]], **told: object) -> pl.DataFrame:
    """Return containment edges, child first, that nothing speaks against but what is told."""
    usual = {
        "child_rows": 10, "parent_rows": 20, "columns": "[]", "policy": "lossless", "semantics": "set",
        "needs": "strict", "relation": "contained", "exact_duplicate": False, "verified": True, "evidence": 1.0,
        "evidence_columns": 5, "evidence_rows": 10, "evidence_entropy": 20.0, "accidental": False, "reduced": True,
        "child_class": "", "parent_class": "",
    }  # fmt: skip
    rows = [{"child": child, "parent": parent, **usual, **told} for child, parent in pairs]
    return pl.DataFrame(rows, schema=pl.Schema(CONTAINMENT.arrow))


def tried(root: Path, child: str, parent: str, policy: str = "lossless") -> tuple[Priced, Recipes, Sources]:
    """Look for the recipe of a table beside its lake."""
    tables = tables_of(root)
    scratch = root.parent / f"{root.name}-scratch"
    scratch.mkdir(exist_ok=True)
    recipes, sources = Recipes(root.parent / f"{root.name}.sqlite"), Sources(root, scratch)
    return derive(Pair(tables[child], tables[parent], policy), recipes, sources, scratch), recipes, sources


def ordinary(root: Path) -> Path:
    """Write a lake with a table, a copy, two parts, and a part in two files."""
    root.mkdir()
    whole = people()
    whole.write_csv(root / "whole.csv")
    whole.write_csv(root / "copy.csv")
    whole[50:350].write_csv(root / "part.csv", line_terminator="\r\n")
    whole.gather_every(2).write_csv(root / "half.csv")
    for flag, frame in whole[:300].with_columns(pl.col("flag").cast(pl.String)).group_by("flag", maintain_order=True):
        folder = root / "parts" / f"flag={flag[0]}"
        folder.mkdir(parents=True)
        frame.drop("flag").write_csv(folder / "a.csv")
    return root


def recipe_of(root: Path, child: str, parent: str, policy: str = "lossless") -> tuple[Recipe, Recipes]:
    """Return a recipe that works, and where it is."""
    priced, recipes, _ = tried(root, child, parent, policy)
    assert priced.recipe is not None, priced.refused
    return priced.recipe, recipes


def content(root: Path) -> dict[str, bytes]:
    """Return every file of a lake, without what it keeps of deleted tables."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".sluice" not in path.parts
    }
