"""Ten useful queries with their output, as a page of the documentation.

Run it from the top folder of the checkout, on a warehouse with at least one published prompt set::

    python -m benchmarks.queries --warehouse warehouse --write docs/queries.md
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from schemas.derive.duckdb import identifier
from warehouse import explore
from warehouse.house import Warehouse

_QUERIES = Path(__file__).resolve().parent.parent / "docs" / "queries.sql"
_HEAD = """# Ten queries

Every warehouse has a file `sluice.duckdb` with documented views: a dataset's name for its latest version,
`"name@1.0.0"` for one version, the books (`runs`, `decisions`, `lineage`, `rollouts`, `pass_rates`, `test_quality`,
`rejections`), and three views over them: `pass_rate` (95 % Wilson intervals, unbiased pass@k), `funnel` and
`suspects`. The macros `wilson_low(c, n)`, `wilson_high(c, n)` and `pass_at(c, n, k)` work on any counts.

Ask with `sluice sql "..."`, or open the file read-only with any DuckDB client: `duckdb -readonly sluice.duckdb`.
`sluice sql` reads the present state and confines the query to the views: it cannot write, nor read another file.
`SHOW ALL TABLES` lists the views, `SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'runs'` tells
what a column means. The paths in the file are absolute; after moving a warehouse, the next run writes it anew.
"""


def queries(dataset: str) -> Iterator[tuple[str, str]]:
    """Yield title and SQL of each query, over the dataset called ``dataset``."""
    text = _QUERIES.read_text(encoding="utf-8").replace("{dataset}", identifier(dataset))
    yield from re.findall(r"^-- (.+?)\n(.+?);$", text, flags=re.MULTILINE | re.DOTALL)


def table(frame: pl.DataFrame) -> str:
    """Return a frame as a Markdown table."""
    lines = [frame.columns, ["---:" if of.is_numeric() else "---" for of in frame.dtypes]]
    lines += [[_cell(value) for value in row] for row in frame.iter_rows()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return " ".join(text.split()).replace("|", "\\|")


def page(warehouse: Warehouse, dataset: str) -> str:
    """Return the page: each query with what it answers on ``warehouse``."""
    sections = [_HEAD, f"The answers below are those of `{dataset}`; `python -m benchmarks.queries` makes this page."]
    for number, (title, sql) in enumerate(queries(dataset), start=1):
        began = time.perf_counter()
        answer = explore.query(warehouse, sql)
        print(f"{number:2} {time.perf_counter() - began:6.2f} s {answer.height:5} rows  {title}")
        sections.append(f"## {number}. {title}\n\n```sql\n{sql}\n```\n\n{table(answer)}")
    return "\n\n".join(sections) + "\n"


def main() -> None:
    """Print the queries' times, and write the page where told to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warehouse", type=Path, required=True, help="folder of a warehouse")
    parser.add_argument("--dataset", help="prompt set to ask about (default: the first one)")
    parser.add_argument("--write", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    warehouse = Warehouse.open(options.warehouse, read_only=True)
    text = page(warehouse, options.dataset or warehouse.datasets()[0])
    if options.write:
        options.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
