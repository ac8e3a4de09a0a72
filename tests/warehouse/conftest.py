"""A warehouse to publish to, tables to publish, and audits that say what they are told to."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from schemas.contracts import Contract
from schemas.registry import contract
from schemas.tables import TableRef
from warehouse.branches import Audit
from warehouse.fingerprint import content_hash
from warehouse.house import Warehouse
from warehouse.publish import Published
from warehouse.stages import Workspace


@dataclass
class Outcome:
    """What an audit says."""

    success: bool = True
    summary: str = "all well"


def problems(numbers: Iterable[int], **changes: object) -> pl.DataFrame:
    """Problems named by number; ``changes`` set columns of all of them."""
    rows = [
        {
            "problem_id": f"p_{number:024x}",
            "prompt": [{"role": "user", "content": f"Add {number} and {number}."}],
            "verifier": '{"kind":"exact"}',
            "tests": f'[{{"answer":"{2 * number}"}}]',
            "starter_code": None,
            "reference_solutions": [str(2 * number)],
            "wrong_solutions": [],
            "source": "sums",
            "source_id": str(number),
            "source_revision": None,
            "license": "Apache-2.0",
            "date": None,
            "ability": "math",
            "language": None,
            "difficulty": [{"label": "level", "raw": "1", "value": 0.5, "polarity": "higher_is_harder"}],
            "tags": [],
            "meta": "{}",
            **changes,
        }
        for number in numbers
    ]
    return pl.DataFrame(rows, schema=pl.Schema(contract("problem").arrow))


def pass_rates(numbers: Iterable[int], n: int = 8, c: int = 4) -> pl.DataFrame:
    """Pass rates of problems named by number."""
    text = {"policy": "m", "policy_revision": "1", "sampler": "s", "verifier_version": "1"}
    counts = dict.fromkeys(("faults", "tests_passed", "tests_total", "truncated", "chars", "chars_correct"), 0)
    rows = [{"problem_id": f"p_{number:024x}", **text, "n": n, "c": c, **counts} for number in numbers]
    return pl.DataFrame(rows, schema=pl.Schema(contract("pass_rate").arrow))


def put(workspace: Workspace, frame: pl.DataFrame, of: Contract) -> TableRef:
    """Write a frame as a table of the workspace."""
    path = Path("work") / "given" / uuid.uuid4().hex
    part = workspace.root / path / "part-00000.parquet"
    part.parent.mkdir(parents=True)
    frame.write_parquet(part)
    return TableRef(str(path), of.name, *content_hash([part], of))


@pytest.fixture
def house(workspace: Workspace) -> Warehouse:
    """An empty warehouse."""
    return Warehouse.open(workspace.root)


@pytest.fixture
def place(workspace: Workspace) -> Callable[..., TableRef]:
    """Write problems named by number as a table of the workspace."""
    return lambda numbers, **changes: put(workspace, problems(numbers, **changes), contract("problem"))


@pytest.fixture
def rates(workspace: Workspace) -> Callable[..., TableRef]:
    """Write pass rates of problems named by number as a table of the workspace."""
    return lambda numbers, **counts: put(workspace, pass_rates(numbers, **counts), contract("pass_rate"))


@pytest.fixture(scope="session")
def put_table() -> Callable[[Workspace, pl.DataFrame, Contract], TableRef]:
    """Write any frame as a table of any workspace."""
    return put


@pytest.fixture(scope="session")
def problem_frame() -> Callable[..., pl.DataFrame]:
    """Make problems named by number."""
    return problems


@pytest.fixture(scope="session")
def rate_frame() -> Callable[..., pl.DataFrame]:
    """Make pass rates of problems named by number."""
    return pass_rates


@pytest.fixture
def release(house: Warehouse) -> Callable[..., Published]:
    """Publish problems to dataset ``sums``, finding nothing wrong unless given another audit."""

    def publish(
        rows: TableRef, run_id: str, audit: Audit = lambda _paths, _contract: Outcome(), **more: str
    ) -> Published:
        return house.publish("sums", rows.contract, rows, run_id=run_id, audit=audit, **more)

    return publish


@pytest.fixture(scope="session")
def outcome() -> type[Outcome]:
    """What an audit says; passes unless told otherwise."""
    return Outcome
