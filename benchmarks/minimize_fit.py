"""Minimization policies of the Adult census beside the figures to reach; and the fit as rows grow.

    python benchmarks/minimize_fit.py adult [FOLDER] [--seeds 43 0 1]
    python benchmarks/minimize_fit.py rows 100000 1000000 [--engine duckdb]
    python benchmarks/minimize_fit.py baselines [FOLDER] [--only adversarial] [--peer PYTHON]
    python benchmarks/minimize_fit.py picks [FOLDER]

FOLDER holds the real inputs (default: SLUICE_DATA, or ../shared/data). PEER is a Python that has IBM's
ai-privacy-toolkit. The exit code is 1 if a figure of ``adult`` is missed, or if a policy of ``rows`` is not the same
as the one that is learned in memory.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from privacy.minimize.learn import fit, sweep
from privacy.minimize.learn.baselines import adversarial, feature_selection, iterative, mutual_information, uniform
from privacy.minimize.learn.bench import Bench
from privacy.minimize.learn.binning import bin_sample
from privacy.minimize.learn.distinct import collapse, draw
from privacy.minimize.learn.fit import SCOUTS
from privacy.minimize.learn.growth import InMemory
from privacy.minimize.learn.search import Search, criterion_of, greedy
from schemas.errors import MissingExtra
from schemas.minimize import Fit, Sweep

SHARE, VALIDATION = 0.33, 0.2
ATTRIBUTE = ((0.1524, 0.679), (0.1471, 0.728), (0.1384, 0.812))
"""At an error of at most the first, a risk of at most the second."""
CELL = (0.1515, 0.618, 100)
COLUMNS = 12
PEER = """
import sys
import time
import numpy as np
from apt.minimization import GeneralizeToRepresentative
from apt.utils.datasets import ArrayDataset
from apt.utils.models import SklearnClassifier, ModelOutputType
from sklearn.tree import DecisionTreeClassifier
given = np.load(sys.argv[1])
names = [f"c{number}" for number in range(given["train"].shape[1])]
tree = DecisionTreeClassifier(min_samples_leaf=20, random_state=0)
model = SklearnClassifier(tree, ModelOutputType.CLASSIFIER_PROBABILITIES)
model.fit(ArrayDataset(given["train"], given["y"]))
began = time.process_time()
tool = GeneralizeToRepresentative(model, target_accuracy=float(sys.argv[2]), is_regression=False)
labels = model.predict(ArrayDataset(given["train"])).argmax(axis=1)
tool.fit(given["train"], labels, features_names=names)
seconds = time.process_time() - began
out = [np.asarray(tool.transform(given[part], features_names=names)) for part in ("train", "test")]
np.savez(sys.argv[3], train=out[0].astype(float), test=out[1].astype(float), seconds=seconds)
"""


def adult(folder: Path, seed: int) -> int:
    """Print what points of each release's front, chosen on validation rows, reach on test rows; return the exit code.

    Parameters
    ----------
    seed
        Draws the parts.
    """
    frame, personal = tabular(folder, "adult")
    began = time.process_time()
    config = Fit(targets=("y",), personal=personal, seed=seed)
    swept = sweep(frame, Sweep(fit=config, test_share=SHARE, validation_share=VALIDATION))
    seconds = time.process_time() - began
    shown = Table(
        title=f"Adult, {frame.height:,} rows, a third held back, seed {seed}; raw error {swept.raw_error:.4f}"
    )
    for column in ("release", "error wanted", "risk wanted", "error", "risk", "buckets", "smallest group", "point"):
        shown.add_column(column, justify="left" if column in ("release", "point") else "right")
    missed = 0
    wanted = [("attribute", error, risk, 0) for error, risk in ATTRIBUTE] + [("cell", *CELL)]
    for release, error, risk, smallest in wanted:
        good = [
            one
            for one in (swept.measured[place] for place in swept.front)
            if one.release == release and one.error is not None and one.error <= error and one.smallest >= smallest
        ]
        best = min(good, key=lambda one: one.risk, default=None)
        missed += best is None or best.risk > risk
        figures = ("none",) * 5 if best is None else (
            f"{best.error:.4f}", f"{best.risk:.4f}", f"{best.buckets}", f"{best.smallest:.0f}", best.told,
        )  # fmt: skip
        shown.add_row(release, f"{error:.4f}", f"{risk:.3f}", *figures)
    Console(width=130).print(shown)
    one = swept.measured[swept.picked]
    told = f"{one.told}: error {one.error:.4f}, risk {one.risk:.4f}, smallest group {one.smallest:.0f}"
    print(f"sweep of {len(swept.measured)} policies: {seconds:.1f} CPU-s; picked {told}", flush=True)
    return int(missed > 0)


def baselines(folder: Path, only: str, peer: Path | None) -> int:
    """Print what the baselines of the paper reach on the same split, and IBM's tool where it is installed.

    Parameters
    ----------
    only
        How the names of those asked for begin.
    """
    frame, personal = tabular(folder, "adult")
    binning, sample = bin_sample(frame, Fit(targets=("y",), personal=personal))
    bench = Bench(binning, sample, SHARE, VALIDATION)
    train, valid = bench.train, bench.validation
    ways: dict[str, Callable[[], Any]] = {f"uniform {k}": (lambda k=k: uniform(binning, k)) for k in (2, 3, 4, 5)}
    ways |= {f"feature selection {k}": (lambda k=k: feature_selection(binning, train, k)) for k in (4, 6, 8)}
    ways |= {f"iterative {t}": (lambda t=t: iterative(binning, train, valid, t)) for t in (0.8, 0.82)}
    ways |= {f"adversarial {w}": (lambda w=w: adversarial(binning, train, w)) for w in (0.1, 0.5)}
    ways |= {f"mutual information {w}": (lambda w=w: mutual_information(binning, train, w)) for w in (0.01,)}
    print(f"{'way':<26}{'CPU-s':>8}{'error':>9}{'risk':>9}{'buckets':>9}{'smallest':>10}")
    for name, way in ((name, way) for name, way in ways.items() if name.startswith(only)):
        began = time.process_time()
        try:
            found = way()
        except MissingExtra as missing:
            print(f"{name:<26} skipped: {missing.message}")
            continue
        seconds = time.process_time() - began
        glance = bench.glance(found)
        figures = f"{bench.errors(found).test:9.4f}{glance.test.mean():9.4f}{found.total:9d}{glance.sizes.min():10.0f}"
        print(f"{name:<26}{seconds:8.1f}{figures}", flush=True)
    if peer:
        print(ibm(bench, peer))
    return 0


def picks(folder: Path) -> int:
    """Print what the pick's two rules reach on small tables, beyond raw data's error and the risk of guessing.

    Where all columns are numbers, the first three are personal; diabetes is told by its median.
    """
    german, adult = tabular(folder, "german_credit"), tabular(folder, "adult")
    tables = {
        "wine": (*_numbers(load_wine()), 3),
        "diabetes": (*_numbers(load_diabetes()), 3),
        "breast cancer": (*_numbers(load_breast_cancer()), 3),
        "German credit": (*german, 6),
        "adult": (adult[0].sample(1_500, seed=1), adult[1], 3),
    }
    print(f"{'table':<16}{'rows':>7}{'standard errors':>17}{'error':>8}{'risk':>8}{'deviation':>11}")
    for name, (frame, personal, seeds) in tables.items():
        for errors in (0, 1):
            found = []
            for seed in range(seeds):
                config = Fit(targets=("y",), personal=personal, seed=seed)
                swept = sweep(frame, Sweep(fit=config, test_share=SHARE, standard_errors=errors))
                one = swept.measured[swept.picked]
                found.append((one.error - swept.raw_error, one.risk - swept.base_risk))
            error, risk = np.mean(found, axis=0)
            deviation = np.std([risk for _, risk in found], ddof=1)
            print(f"{name:<16}{len(frame):7d}{errors:17d}{error:8.3f}{risk:8.3f}{deviation:11.3f}", flush=True)
    return 0


def ibm(bench: Bench, peer: Path, rows: int = 2_000, accuracy: float = 0.9) -> str:
    """Return a line about `GeneralizeToRepresentative` fitted on some training rows."""
    with tempfile.TemporaryDirectory() as name:
        into, out = Path(name) / "in.npz", Path(name) / "out.npz"
        some = bench.train.take(np.arange(rows))
        test = bench.test.take(np.arange(rows))
        parts = {"train": np.column_stack(some.columns), "test": np.column_stack(test.columns), "y": some.targets[0]}
        np.savez(into, **parts)
        subprocess.run([str(peer), "-W", "ignore", "-c", PEER, str(into), str(accuracy), str(out)], check=True)
        told = np.load(out)
    cells = len(np.unique(told["train"], axis=0))
    return f"IBM, {rows} rows, {accuracy}: {float(told['seconds']):.1f} CPU-s to fit, {cells} representatives released"


def rows(counts: list[int], engine: str) -> int:
    """Print the cost of binning and fitting per size; return the exit code."""
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.parquet"
            subprocess.run([sys.executable, __file__, "make", str(count), str(path)], check=True)
            done = subprocess.run([sys.executable, __file__, "one", str(path), "--engine", engine], check=False)
            if done.returncode:
                return done.returncode
    return 0


def one(path: Path, engine: str) -> int:
    """Print the cost of one table."""
    config = Fit(targets=("y",), max_leaf_nodes=20)
    if engine != "memory":
        began = time.process_time()
        policy = fit(pl.scan_parquet(path), config.model_copy(update={"engine": engine}))
        spent, peak = time.process_time() - began, _peak()
        same = policy.digest == fit(pl.scan_parquet(path), config).digest
        print(f"{policy.fit.sample_rows:>11,} rows, {engine}: {spent:.2f} CPU-s in all, peak {peak:.0f} MiB, {same=}")
        return int(not same)
    began = time.process_time()
    binning, sample = bin_sample(pl.scan_parquet(path), config)
    distinct = collapse(sample)
    binned = time.process_time()
    greedy(InMemory(distinct), binning, criterion_of(binning), config.max_leaf_nodes)
    grown = time.process_time()
    Search(InMemory(distinct), binning, draw(distinct, SCOUTS, 1)).tree(config.alpha, config.max_leaf_nodes)
    searched = time.process_time()
    print(
        f"{sample.rows:>11,} rows x {COLUMNS} ({distinct.rows:,} distinct): binning {binned - began:.2f}, "
        f"fit greedy {grown - binned:.2f}, fit best {searched - grown:.2f} CPU-s, peak {_peak():.0f} MiB",
        flush=True,
    )
    return 0


def make(count: int, path: Path) -> None:
    """Write a table of 12 attributes, 8 of them personal and 4 of 70 to 120 values, with few equal rows."""
    draws = np.random.default_rng(5)
    hidden = draws.normal(size=count)
    table = {}
    for number, size in enumerate((7, 16, 7, 14, 6, 5, 2, 41)):
        noisy = hidden * draws.uniform(0, 1) + draws.normal(size=count)
        code = np.clip(((noisy + 3) / 6 * size).astype(np.int64), 0, size - 1)
        table[f"named{number}"] = pl.Series(code).cast(pl.String).cast(pl.Categorical)
    for number, size in enumerate((73, 118, 97, 96)):
        noisy = hidden * draws.uniform(0, 1) + draws.normal(size=count)
        table[f"number{number}"] = np.clip(((noisy + 4) / 8 * size).astype(np.int64), 0, size - 1)
    table["y"] = (hidden + draws.normal(size=count) > 1).astype(np.int64)
    pl.DataFrame(table).write_parquet(path)


def tabular(folder: Path, name: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return a real table and its personal attributes."""
    about = json.loads((folder / "tabular" / "columns.json").read_text(encoding="utf-8"))[name]
    return pl.read_csv(folder / "tabular" / f"{name}.csv.gz"), tuple(about["sens"])


def _numbers(bunch: Any) -> tuple[pl.DataFrame, tuple[str, ...]]:
    classes = bunch.target if bunch.target.dtype.kind == "i" else bunch.target > np.median(bunch.target)
    frame = pl.DataFrame(bunch.data, schema=[str(name) for name in bunch.feature_names])
    return frame.with_columns(y=pl.Series(classes.astype(int))), tuple(frame.columns[:3])


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    data = Path(os.environ.get("SLUICE_DATA", "../shared/data"))
    for name in ("adult", "baselines", "picks"):
        commands.add_parser(name).add_argument("folder", type=Path, nargs="?", default=data)
    commands.choices["adult"].add_argument("--seeds", type=int, nargs="+", default=[43])
    commands.choices["baselines"].add_argument("--only", default="")
    commands.choices["baselines"].add_argument("--peer", type=Path)
    for name in ("rows", "one"):
        commands.add_parser(name).add_argument("--engine", choices=("memory", "duckdb", "spark"), default="memory")
    commands.choices["rows"].add_argument("counts", type=int, nargs="+")
    commands.choices["one"].add_argument("path", type=Path)
    made = commands.add_parser("make")
    made.add_argument("count", type=int)
    made.add_argument("path", type=Path)
    given = parser.parse_args()
    if given.command == "adult":
        return max(adult(given.folder, seed) for seed in given.seeds)
    if given.command == "baselines":
        return baselines(given.folder, given.only, given.peer)
    if given.command == "picks":
        return picks(given.folder)
    if given.command == "rows":
        return rows(given.counts, given.engine)
    if given.command == "one":
        return one(given.path, given.engine)
    make(given.count, given.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
