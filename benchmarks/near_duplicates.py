"""All pairs of similar documents, exactly, beside MinHash libraries; and the stage ``dedup`` as rows grow.

    python benchmarks/near_duplicates.py pairs [--peers] [FOLDER]
    python benchmarks/near_duplicates.py rows 10000 100000 1000000

FOLDER holds the real inputs (default: SLUICE_DATA, or ../shared/data). ``--peers`` needs datasketch and rensa from
PyPI. Nothing is printed but an error, and the exit code is 1, if a pair of the sample differs from brute force.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import combinations, product
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from dedup.text.minhash import Banding, band_probes
from dedup.text.near import removals, similar_pairs
from dedup.text.shingles import sketch
from dedup.text.similarity import Pairs
from dedup.text.stage import DEDUP
from dedup.text.store import SetStore
from schemas.ids import canonical_json, record_id
from schemas.recipe.dedup import Dedup
from schemas.records import PROBLEM
from schemas.tables import TableRef
from warehouse.engines import LocalEngine
from warehouse.fingerprint import content_hash
from warehouse.progress import Silent
from warehouse.runner import run_stage
from warehouse.stages import Services, Workspace

DOCUMENTS = 84_000
THRESHOLD = 0.7
LEVELS = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
SAMPLE = 2_000
SHORTEST = 30
ORIGINALS = 20_000
KINDS = ("original", *["other"] * 7, "copy", "edit")
CONFIG = Dedup(
    threshold=THRESHOLD, fewest=1, common_share=None, keep_numbers=False, keep_operators=False, longest=10**9
)
JSONL = {"gsm8k_train": "question", "gsm8k_test": "question", "mbpp": "text"}
ARRAYS = ("math_train", "math500_test", "aime_train", "leetcode_rllm_train", "leetcode_rllm_test")
Pair = tuple[int, int]


def real_texts(folder: Path) -> list[str]:
    """Return GSM8K, MBPP, MATH, AIME and LeetCode problems."""
    texts = []
    for name, field in JSONL.items():
        with gzip.open(folder / "rlvr" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            texts += [json.loads(line)[field] for line in lines]
    for name in ARRAYS:
        with gzip.open(folder / "rlvr" / f"{name}.json.gz", "rt", encoding="utf-8") as file:
            texts += [row["problem"] for row in json.load(file)]
    return texts


def planted(texts: list[str], count: int) -> Iterator[str]:
    """Yield edits of texts: L inner words in a row replaced, which leaves (n - L - 4) / (n + L + 4) of n shingles."""
    draw = random.Random(11)
    long = [words for words in (text.split() for text in texts) if len(words) >= SHORTEST]
    for number in range(count):
        words, level = list(draw.choice(long)), LEVELS[number % len(LEVELS)]
        shingles = len(words) - CONFIG.width + 1
        length = round(shingles * (1 - level) / (1 + level)) - CONFIG.width + 1
        if level < 1:
            length = min(max(length, 1), len(words) - 2 * CONFIG.width)
            start = draw.randrange(CONFIG.width, len(words) - length - CONFIG.width + 1)
            words[start : start + length] = [f"edit{number}x{place}" for place in range(length)]
        yield " ".join(words)


def shingle_sets(texts: list[str]) -> list[set[str]]:
    """Return word 5-grams as a person would write them, for the peers and for the truth."""
    word = re.compile(r"\w+")
    found = [word.findall(text.casefold()) for text in texts]
    width = CONFIG.width
    return [{" ".join(words[i : i + width]) for i in range(len(words) - width + 1)} for words in found]


def exact(texts: list[str]) -> set[Pair]:
    """Return all pairs, as this library finds them."""
    return _own(texts, lambda store: similar_pairs(store, THRESHOLD, LocalEngine()))


def by_minhash(texts: list[str]) -> set[Pair]:
    """Return the pairs that this library finds among the candidates of its own MinHash, verified exactly."""
    banding = Banding.reaching(CONFIG.minhash_recall, THRESHOLD)

    def join(store: SetStore) -> Pairs:
        probes = band_probes(store, banding, LocalEngine(), Path(tempfile.gettempdir()))
        return similar_pairs(store, THRESHOLD, LocalEngine(), probes)

    return _own(texts, join)


def greedy(texts: list[str]) -> set[Pair]:
    """Return the removals, each with its kept witness."""
    return _own(texts, lambda store: removals(store, THRESHOLD, LocalEngine(), Silent()))


def _own(texts: list[str], join: Callable[[SetStore], Pairs]) -> set[Pair]:
    with tempfile.TemporaryDirectory() as folder:
        store = SetStore(Path(folder))
        for part in LocalEngine().map_chunks(lambda chunk: sketch(chunk, CONFIG), texts, 1024):
            store.append(part.sizes, part.shingles >> np.uint64(1))
        store.seal()
        pairs = join(store)
    return set(zip(pairs.earlier.tolist(), pairs.later.tolist(), strict=True))


def datasketch(texts: list[str]) -> set[Pair]:
    """Return the candidate pairs of datasketch's MinHashLSH, 128 permutations, parameters chosen by itself."""
    from datasketch import MinHash, MinHashLSH

    index, pairs = MinHashLSH(threshold=THRESHOLD, num_perm=128), set()
    for number, grams in enumerate(shingle_sets(texts)):
        signature = MinHash(num_perm=128)
        signature.update_batch([gram.encode() for gram in grams])
        if grams:
            pairs |= {(other, number) for other in index.query(signature)}
            index.insert(number, signature)
    return pairs


def rensa(texts: list[str]) -> set[Pair]:
    """Return the candidate pairs of rensa's RMinHashLSH, 128 permutations in 16 bands."""
    from rensa import RMinHash, RMinHashLSH

    index, pairs = RMinHashLSH(THRESHOLD, 128, 16), set()
    for number, grams in enumerate(shingle_sets(texts)):
        signature = RMinHash(128, 42)
        signature.update(list(grams))
        if grams:
            pairs |= {(other, number) for other in index.query(signature)}
            index.insert(number, signature)
    return pairs


def brute_force(texts: list[str], sample: list[int]) -> set[Pair]:
    """Return the similar pairs among some documents, one pair of sets at a time."""
    sets = dict(zip(sample, shingle_sets([texts[number] for number in sample]), strict=True))
    return {
        (a, b)
        for a, b in combinations(sample, 2)
        if sets[a] and len(sets[a] & sets[b]) >= THRESHOLD * len(sets[a] | sets[b]) - 1e-12
    }


def compare(folder: Path, *, peers: bool) -> int:
    """Print the table of tools; return the exit code."""
    real = real_texts(folder)
    texts = [*real, *planted(real, DOCUMENTS - len(real))]
    truth, seconds = timed(exact, texts)
    linked = sorted({number for pair in truth for number in pair})
    draw = random.Random(5)
    sample = sorted({*draw.sample(linked, SAMPLE // 2), *draw.sample(range(len(texts)), SAMPLE // 2)})
    chosen = set(sample)
    if brute_force(texts, sample) != {pair for pair in truth if chosen.issuperset(pair)}:
        print("the pairs of the sample are not those of brute force; no figure is printed", file=sys.stderr)
        return 1
    table = Table(title=f"{len(texts):,} documents, {sum(map(len, texts)) / 1e6:.1f} M characters, J >= {THRESHOLD}")
    for column in ("tool", "CPU-s", "documents per CPU-s", "pairs", "recall", "precision"):
        table.add_column(column, justify="left" if column == "tool" else "right")
    table.add_row("sluice, all pairs", *figures(len(texts), seconds, truth, truth))
    removed, spent = timed(greedy, texts)
    *cells, _, precision = figures(len(texts), spent, removed, truth)
    table.add_row("sluice, removals with a kept witness", *cells, "", precision)
    found, spent = timed(by_minhash, texts)
    table.add_row("sluice, MinHash candidates, verified", *figures(len(texts), spent, found, truth))
    for name, tool in (("datasketch", datasketch), ("rensa", rensa)) if peers else ():
        if importlib.util.find_spec(name) is None:
            table.add_row(f"{name} (skipped: not installed)", *[""] * 5)
            continue
        found, seconds = timed(tool, texts)
        table.add_row(name, *figures(len(texts), seconds, found, truth))
    Console(width=110).print(table)
    print(
        f"sample checked against brute force: {len(sample):,} documents, {len(sample) * (len(sample) - 1) // 2:,} pairs"
    )
    return 0


def timed(tool: Callable[[list[str]], set[Pair]], texts: list[str]) -> tuple[set[Pair], float]:
    """Return a tool's pairs and the CPU seconds that it took."""
    began = time.process_time()
    return tool(texts), time.process_time() - began


def figures(count: int, seconds: float, found: set[Pair], truth: set[Pair]) -> list[str]:
    """Return a tool's cells: CPU seconds, documents per CPU second, pairs, recall, precision."""
    right = len(found & truth)
    shares = (f"{right / len(truth):.3f}", f"{right / max(len(found), 1):.3f}")
    return [f"{seconds:.1f}", f"{count / seconds:,.0f}", f"{len(found):,}", *shares]


def synthetic(count: int, path: Path) -> None:
    """Write problems of which one in ten is an exact and one in ten a near copy of an earlier one."""
    draw = np.random.default_rng(3)
    words = np.array(["".join(letters) for letters in product("bcdfghklmnprst", "aeiou", "bdglmnrst", "aeiou", "dknr")])
    earlier: list[list[str]] = []
    for start in range(0, count, 50_000):
        prompts = []
        for number in range(start, min(start + 50_000, count)):
            picked = words[(draw.random(60) ** 3 * len(words)).astype(int)].tolist()
            kind = KINDS[number % len(KINDS)]
            if kind == "original" and len(earlier) < ORIGINALS:
                earlier.append(picked)
            elif kind in ("copy", "edit"):
                picked = list(earlier[int(draw.integers(len(earlier)))])
                picked[10] = words[int(draw.integers(len(words)))] if kind == "edit" else picked[10]
            prompts.append(" ".join(picked))
        _problems(start, prompts).write_parquet(path / f"part-{start:08d}.parquet")


def _problems(start: int, prompts: list[str]) -> pl.DataFrame:
    numbers = range(start, start + len(prompts))
    ids = [record_id("p", number) for number in numbers]
    fixed = {"verifier": canonical_json({"kind": "exact"}), "license": "Apache-2.0", "ability": "math", "meta": "{}"}
    frame = pl.DataFrame(
        {
            "problem_id": ids,
            "prompt": [[{"role": "user", "content": prompt}] for prompt in prompts],
            "tests": [canonical_json([{"answer": str(number)}]) for number in numbers],
            "source": "made",
            "source_id": list(map(str, numbers)),
        }
    ).with_columns(**{name: pl.lit(value) for name, value in fixed.items()})
    empty = pl.Schema(PROBLEM.arrow)
    lists = ("reference_solutions", "wrong_solutions", "difficulty", "tags")
    missing = {
        name: pl.lit([] if name in lists else None, dtype=of) for name, of in empty.items() if name not in frame.columns
    }
    return frame.with_columns(**missing).select(pl.col(name).cast(of) for name, of in empty.items())


def stage_on(count: int) -> None:
    """Run the stage on ``count`` synthetic rows and print its figures."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        (workspace.root / "in").mkdir()
        subprocess.run([sys.executable, __file__, "make", str(count), str(workspace.root / "in")], check=True)
        parts = sorted((workspace.root / "in").glob("*.parquet"))
        table = TableRef("in", "problem", *content_hash(parts, PROBLEM))
        before, spent, began = _peak(), time.process_time(), time.monotonic()
        run = run_stage(DEDUP, {"rows": table}, Dedup(), Services(workspace))
        print(
            f"{count:>9,} rows: {time.process_time() - spent:7.1f} CPU-s, {time.monotonic() - began:7.1f} s, "
            f"peak {_peak():6.0f} MiB ({before:.0f} before), dropped {dict(run.counts['dropped'])}",
            flush=True,
        )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    pairs = commands.add_parser("pairs")
    pairs.add_argument("folder", type=Path, nargs="?", default=Path(os.environ.get("SLUICE_DATA", "../shared/data")))
    pairs.add_argument("--peers", action="store_true")
    rows = commands.add_parser("rows")
    rows.add_argument("counts", type=int, nargs="+")
    for name, count in (("one", "count"), ("make", "count")):
        commands.add_parser(name).add_argument(count, type=int)
    commands.choices["make"].add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.command == "pairs":
        return compare(given.folder, peers=given.peers)
    if given.command == "make":
        synthetic(given.count, given.folder)
    if given.command == "one":
        stage_on(given.count)
    if given.command == "rows":
        for count in given.counts:
            subprocess.run([sys.executable, __file__, "one", str(count)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
