"""Text deduplication as documents grow, by prefixes and by MinHash, and new documents against an index of old ones.

    python benchmarks/text_scale.py grow 100000 1000000 [--candidates minhash]
    python benchmarks/text_scale.py increment 100000 1000

Made documents of 40 words: one in ten a copy of an earlier one, one in ten an edit of one (J = 31/41, or more where
the edit is at an end), the others alone. Nothing is printed but an error, and the exit code is 1, if a removal is
missing or wrong: by prefixes all copies and edits go and nothing else does; by MinHash nothing else does, and the share
found is printed; a batch held against an index goes as it does in a run over both (of old documents that are all
different, so that such a run keeps them all as well).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from dedup.text.documents import read_documents
from dedup.text.duplicates import find_duplicates
from dedup.text.indexing import published_index
from dedup.text.table_stage import TEXT_DUPLICATES
from dedup.text.tables import files_at
from schemas.ids import digest
from schemas.recipe.dedup import Dedup, PinnedDedup
from schemas.recipe.texts import TextTable
from warehouse.runner import run_stage
from warehouse.stages import Services, Workspace

WORDS = np.array(["".join(letters) for letters in product("bcdfghklmnprst", "aeiou", "bdglmnrst", "aeiou", "dknr")])
LENGTH = 40
ORIGINALS = 20_000
AT_ONCE = 50_000
KINDS = 10
COPY, EDIT = 8, 9
THRESHOLD = 0.7


def made(count: int, seed: int = 3) -> Iterator[list[str]]:
    """Yield documents, some tens of thousands at a time; document n is a copy if n % 10 is 8, an edit if it is 9."""
    draw = np.random.default_rng(seed)
    pool = np.zeros((0, LENGTH), np.int64)
    for start in range(0, count, AT_ONCE):
        size = min(AT_ONCE, count - start)
        chosen = (draw.random((size, LENGTH)) ** 3 * len(WORDS)).astype(np.int64)
        kind = np.arange(start, start + size) % KINDS
        if len(pool) < ORIGINALS:
            pool = np.concatenate((pool, chosen[kind == 0]))[:ORIGINALS]
        again = np.flatnonzero(kind >= COPY)
        earlier = np.minimum((start + again) // KINDS + 1, len(pool))
        chosen[again] = pool[(draw.random(len(again)) * earlier).astype(np.int64)]
        edits = again[kind[again] == EDIT]
        place = draw.integers(LENGTH, size=len(edits))
        chosen[edits, place] = (chosen[edits, place] + draw.integers(1, len(WORDS), size=len(edits))) % len(WORDS)
        yield [" ".join(words) for words in WORDS[chosen]]


def grow(count: int, candidates: str) -> int:
    """Run the stage over a made table and print its figures; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, "make", str(count), folder], check=True)
        alike = PinnedDedup(threshold=THRESHOLD, candidates=candidates)
        table = TextTable(files=files_at(folder), text=("text",), alike=alike)
        workspace = Workspace(Path(folder) / "warehouse")
        with Memory() as memory:
            began = time.process_time()
            run = run_stage(TEXT_DUPLICATES, {}, table, Services(workspace))
            spent = time.process_time() - began
        kinds = workspace.scan(run.rows).select(pl.col("removed_id").cast(pl.Int64) % KINDS).collect().to_series()
    copies, edits = int((kinds == COPY).sum()), int((kinds == EDIT).sum())
    right = len(kinds) == copies + edits and copies == count // KINDS
    if not right or (candidates == "exact" and edits != count // KINDS):
        print(
            f"{copies} copies and {edits} edits of {count // KINDS} each among {len(kinds)} removals", file=sys.stderr
        )
        return 1
    print(
        f"{count:>10,} documents, {candidates:<7}: {spent:7.1f} CPU-s, {count / spent:9,.0f} per CPU-s, "
        f"memory {memory.before:.0f} to {memory.own:.0f} MiB and {memory.files:.0f} of mapped files, "
        f"edits found {edits / (count // KINDS):.4f}",
        flush=True,
    )
    return 0


def increment(count: int, batch: int) -> int:
    """Hold a batch against an index and against all documents anew, and print both; return the exit code."""
    everything = [text for part in made(count * KINDS // COPY) for text in part]
    texts = [text for number, text in enumerate(everything) if number % KINDS < COPY][:count]
    words = [text.split() for text in texts[: batch // 2]]
    new = [" ".join([*text[:20], "changed", *text[21:]]) for text in words]
    new += [text for part in made(batch - len(new), seed=4) for text in part]
    config = Dedup(threshold=THRESHOLD)
    with tempfile.TemporaryDirectory() as folder:
        services = Services(Workspace(Path(folder)))
        old = pl.LazyFrame({"id": [f"a{n:09d}" for n in range(count)], "text": texts})
        rows = pl.LazyFrame({"id": [f"b{n:09d}" for n in range(batch)], "text": new})
        began = time.process_time()
        index = published_index(old, digest(texts), config, services)
        building, began = time.process_time() - began, time.process_time()
        found = find_duplicates(read_documents(rows, config, services), config, services, index)
        spent = time.process_time() - began
        size = sum(path.stat().st_size for path in index.folder.iterdir())
        began = time.process_time()
        both = read_documents(pl.concat([old, rows]), config, services)
        whole = find_duplicates(both, config, services, None)
        anew = time.process_time() - began
        gone = {both.ids[int(n)] for pairs in (whole.exact, whole.near) for n in pairs.later}
    held = [found.exact, found.near, found.published, found.near_published]
    removed = {f"b{n:09d}" for pairs in held for n in pairs.later.tolist()}
    if removed != {name for name in gone if name.startswith("b")}:
        print("the batch held against the index does not go as in a run over both", file=sys.stderr)
        return 1
    print(
        f"{batch:,} documents against {count:,}: {spent:.2f} CPU-s, {index.reads.size / 2**20:.1f} of "
        f"{size / 2**20:,.0f} MiB of the index asked for (made once in {building:.1f} CPU-s); "
        f"over both anew {anew:.1f} CPU-s; {len(removed):,} removed either way"
    )
    return 0


def make(count: int, folder: Path) -> None:
    """Write made documents as Parquet."""
    for number, part in enumerate(made(count)):
        pl.DataFrame({"text": part}).write_parquet(folder / f"part-{number:05d}.parquet")


class Memory:
    """Watches this process: its own memory, and the pages of files that are mapped and may be taken back, in MiB."""

    def __enter__(self) -> Self:
        self.own, self.files = self.before, _ = self._now()
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            own, files = self._now()
            self.own, self.files = max(self.own, own), max(self.files, files)

    @staticmethod
    def _now() -> tuple[float, float]:
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return tuple(int(lines[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile"))


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    growing = commands.add_parser("grow")
    growing.add_argument("counts", type=int, nargs="+")
    growing.add_argument("--candidates", choices=["exact", "minhash"], default="exact")
    commands.add_parser("make").add_argument("count", type=int)
    commands.choices["make"].add_argument("folder", type=Path)
    commands.add_parser("increment").add_argument("count", type=int)
    commands.choices["increment"].add_argument("batch", type=int)
    given = parser.parse_args()
    if given.command == "make":
        make(given.count, given.folder)
        return 0
    if given.command == "increment":
        return increment(given.count, given.batch)
    if len(given.counts) == 1:
        return grow(given.counts[0], given.candidates)
    commands_of = [[sys.executable, __file__, "grow", str(n), "--candidates", given.candidates] for n in given.counts]
    return max(subprocess.run(command, check=False).returncode for command in commands_of)


if __name__ == "__main__":
    sys.exit(main())
