"""Mosaic streaming reads the shards row for row, digests checked; its way of counting batches is as the README says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.exports.trainers.stubs import stubbed

pytestmark = pytest.mark.trainers


@pytest.fixture(scope="module")
def streaming() -> Any:
    """Its base, without the pictures and sounds that the package imports."""
    with stubbed("torchvision", hollow="streaming"):
        pytest.importorskip("streaming.base.dataset", reason="mosaicml-streaming is not installed")
        from streaming import base

        return base


def test_rows_arrive(streaming: Any, exported: Callable, read_back: Callable, expected: list, tmp_path: Path):
    """`StreamingDataset`, unshuffled and validating digests, gives every column of every row in published order."""
    report = exported("mds")
    place = str(report.folder / report.parts[0].path)
    settings = {"shuffle": False, "batch_size": 1, "validate_hash": "sha256"}
    rows = list(streaming.StreamingDataset(remote=place, local=str(tmp_path), **settings))
    read_back(report, "mosaicml-streaming", len(rows))
    assert [row["prompt"] for row in expected] == [row["prompt"] for row in rows]
    assert [row["tests"] for row in expected] == [row["tests"] for row in rows]
    assert [row["order_index"] for row in expected] == [row["info"]["index"] for row in rows]


def test_a_damaged_shard_is_found(streaming: Any, exported: Callable, tmp_path: Path):
    """The digests in the index are those of the shards: a changed byte is refused."""
    report = exported("mds")
    place = report.folder / report.parts[0].path
    shard = next(place.glob("*.mds"))
    content = bytearray(shard.read_bytes())
    content[-3] ^= 1
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / shard.name).write_bytes(bytes(content))
    (copy / "index.json").write_bytes((place / "index.json").read_bytes())
    settings = {"shuffle": False, "batch_size": 1, "validate_hash": "sha256"}
    rows = streaming.StreamingDataset(remote=str(copy), local=str(tmp_path / "local"), **settings)
    with pytest.raises(ValueError, match="Checksum failure"):
        rows[0]


@pytest.mark.parametrize(("collate", "right"), [("README's", True), ("strings", False)])
def test_batches_are_counted_by_their_first_value(
    collate: str,
    right: bool,  # noqa: FBT001 - a parametrised expectation
    streaming: Any,
    exported: Callable,
):
    """The trap is real: a batch that is a list of strings counts its characters, and the state is wrong."""
    collates = {
        "README's": lambda rows: {"row_id": [row["row_id"] for row in rows]},
        "strings": lambda rows: [row["problem_id"] for row in rows],
    }
    report = exported("mds")
    rows = streaming.StreamingDataset(
        local=str(report.folder / report.parts[0].path), shuffle=False, batch_size=4, num_canonical_nodes=1
    )
    loader = streaming.StreamingDataLoader(rows, batch_size=4, collate_fn=collates[collate])
    batches = iter(loader)
    next(batches)
    next(batches)
    assert right == (loader.state_dict()["sample_in_epoch"] == 8)
