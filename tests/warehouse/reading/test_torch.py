"""torch's loader, with workers that hold batches in advance, gives the reader's own order and resumes in it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.records import PROMPT_SET
from tests.tables import prompt_row, prompt_rows
from warehouse.reading import Reader
from warehouse.reading.torch import torch_batches
from warehouse.release.info import ReleaseInfo
from warehouse.release.write import write_release

pytestmark = pytest.mark.trainers
data = pytest.importorskip("torch.utils.data", reason="torch is not installed; `make test-trainers` brings it")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Read 300 released rows, shuffled."""
    path = tmp_path_factory.mktemp("published") / "rows.parquet"
    prompt_rows([prompt_row(n) for n in range(300)]).write_parquet(path)
    info = ReleaseInfo("demo", "1.0.0", datetime(2026, 1, 1, tzinfo=UTC))
    folder = write_release([path], PROMPT_SET, info, path.parent / "1.0.0").folder
    return Reader(folder, order="shuffled", seed=5, columns=["row_id"])


def _ids(batches: list) -> list[str]:
    return [row["row_id"] for batch in batches for row in batch]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_workers_keep_the_order(reader: Reader, workers: int):
    """Any number of workers gives the batches of one, in order."""
    loader = data.DataLoader(torch_batches(reader, 16), batch_size=None, num_workers=workers)
    assert [row["row_id"] for row in reader] == _ids(list(loader))


def test_a_killed_loader_resumes_where_training_stood(reader: Reader):
    """Batches that workers held in advance are not lost: the state counts what was trained on."""
    loader = iter(data.DataLoader(torch_batches(reader, 16), batch_size=None, num_workers=2, prefetch_factor=4))
    before = [next(loader) for _ in range(5)]
    del loader
    resumed = reader.resumed(reader.state(5 * 16))
    after = data.DataLoader(torch_batches(resumed, 16), batch_size=None, num_workers=2)
    assert [row["row_id"] for row in reader] == _ids(before) + _ids(list(after))
