"""The whole job on real data: HumanEval with 16,400 recorded completions of CodeGen-16B.

    python -m benchmarks.humaneval [WAREHOUSE]

Builds, audits, publishes and exports `recipes/humaneval.yaml`, and prints the funnel, pass@k and the time it took.
Exits with 1 unless all 164 references pass and pass@1, @10, @100 are 0.221, 0.504, 0.738 to 0.003.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from curation.measure.estimators import pass_at_k
from flows.orchestration import prefect_server
from flows.summary import show_build

_ROOT = Path(__file__).resolve().parents[1]
_RECIPE = _ROOT / "recipes" / "humaneval.yaml"
_EXPECTED = {1: 0.221, 10: 0.504, 100: 0.738}
_TOLERANCE = 0.003
_PROBLEMS, _COMPLETIONS = 164, 100


def main(root: Path) -> bool:
    """Run the job in ``root``, print what came of it, and tell whether the figures are right."""
    os.environ.setdefault("SLUICE_DATA", str(_ROOT.parent / "shared" / "data"))
    with prefect_server(root):
        from flows.prompt_set import prompt_set

        wall, cpu = time.monotonic(), _cpu()
        told = prompt_set(str(_RECIPE), str(root))
        wall, cpu = time.monotonic() - wall, _cpu() - cpu
    show_build(told)
    stages = {stage["stage"]: stage for stage in told["stages"]}
    counts = _counts(root)
    measured = {k: float(pass_at_k(counts["n"].to_numpy(), counts["c"].to_numpy(), k).mean()) for k in _EXPECTED}
    print(f"\nreferences that pass: {stages['gold']['kept']} of {stages['gold']['in']}")
    print(f"completions judged: {counts['n'].sum():,}; never solved at 100: {(counts['c'] == 0).sum()}")
    for k, value in measured.items():
        print(f"pass@{k}: {value:.4f} (expected {_EXPECTED[k]})")
    print(f"whole job: {wall:.0f} s wall, {cpu:.0f} CPU-s")
    return (
        stages["gold"]["kept"] == _PROBLEMS
        and counts["n"].sum() == _PROBLEMS * _COMPLETIONS
        and all(abs(value - _EXPECTED[k]) <= _TOLERANCE for k, value in measured.items())
    )


def _counts(root: Path) -> pl.DataFrame:
    from warehouse.house import Warehouse

    return Warehouse.open(root, read_only=True).book("pass_rates").select("problem_id", "n", "c").collect()


def _cpu() -> float:
    """Return CPU seconds of this process and the children it has waited for."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch) / "warehouse"
        sys.exit(0 if main(place) else 1)
