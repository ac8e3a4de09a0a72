"""Stages: conservation, content-keyed resume, and kills."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import StageError, WarehouseError
from schemas.recipe.base import Section
from schemas.tables import TableRef
from tests.tables import decisions, problems
from warehouse.runner import run_stage
from warehouse.stages import Services, Stage, StageResult, Workspace, no_decisions


class _Config(Section):
    """Settings of the stages below."""

    numbers: tuple[int, ...] = ()
    verdicts: tuple[str, ...] = ()


def _read(_inputs: Mapping[str, pl.LazyFrame], config: _Config, _services: Services) -> StageResult:
    return StageResult(no_decisions(), rows=problems(config.numbers).lazy())


def _drop_listed(inputs: Mapping[str, pl.LazyFrame], config: _Config, _services: Services) -> StageResult:
    ids = inputs["rows"].select("problem_id").collect().to_series().sort().to_list()
    return StageResult(decisions([(ids[n], v, "listed") for n, v in zip(config.numbers, config.verdicts, strict=True)]))


READ = Stage("read", "1", _read)
DROP = Stage("drop", "1", _drop_listed)


def _rows(services: Services, count: int) -> TableRef:
    return run_stage(READ, {}, _Config(numbers=tuple(range(count))), services).rows


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(verdicts=st.lists(st.sampled_from(["drop", "fail", "flag", "keep"]), max_size=8))
def test_conservation(services: Services, verdicts: list[str]) -> None:
    """Every row that goes in is kept, dropped with a reason, or failed; flags and keeps take nothing out."""
    config = _Config(numbers=tuple(range(len(verdicts))), verdicts=tuple(verdicts))

    run = run_stage(DROP, {"rows": _rows(services, 8)}, config, services)

    dropped, failed = verdicts.count("drop"), verdicts.count("fail")
    assert {
        "in": 8,
        "kept": 8 - dropped - failed,
        "dropped": {"listed": dropped} if dropped else {},
        "failed": failed,
    } == run.counts
    assert (run.counts["kept"], dropped + failed) == (run.tables["rows"].rows, run.tables["dropped"].rows)


def test_a_stage_that_loses_a_row_fails(services: Services) -> None:
    """A row that neither comes back nor is decided about is an error, not a smaller dataset."""

    def lose(inputs: Mapping[str, pl.LazyFrame], _config: None, _services: Services) -> StageResult:
        return StageResult(no_decisions(), rows=inputs["rows"].head(2))

    with pytest.raises(StageError, match=r"given 3 rows and returned 2; 1 ids are missing"):
        run_stage(Stage("lose", "1", lose), {"rows": _rows(services, 3)}, None, services)


def test_a_decision_about_an_unknown_record_fails(services: Services) -> None:
    """A stage can only decide about what it was given."""

    def invent(_inputs: Mapping[str, pl.LazyFrame], _config: None, _services: Services) -> StageResult:
        return StageResult(decisions([("p_unknown", "drop", "x")]))

    with pytest.raises(StageError, match="take out 1 records and 0 were there"):
        run_stage(Stage("invent", "1", invent), {"rows": _rows(services, 3)}, None, services)


def test_content_keyed_resume_reads_finished_work(services: Services) -> None:
    """The same stage over the same content is not run again, and its result is the same."""
    rows = _rows(services, 5)
    config = _Config(numbers=(1,), verdicts=("drop",))

    first = run_stage(DROP, {"rows": rows}, config, services)
    again = run_stage(DROP, {"rows": rows}, config, services)

    assert (False, True) == (first.cached, again.cached)
    assert first.tables == again.tables


def test_content_keyed_resume_redoes_what_changed(services: Services) -> None:
    """Another configuration, version or content is other work."""
    config = _Config(numbers=(1,), verdicts=("drop",))
    keys = {
        run_stage(DROP, {"rows": _rows(services, 5)}, config, services).key,
        run_stage(DROP, {"rows": _rows(services, 6)}, config, services).key,
        run_stage(DROP, {"rows": _rows(services, 5)}, _Config(numbers=(1,), verdicts=("fail",)), services).key,
        run_stage(Stage("drop", "2", _drop_listed), {"rows": _rows(services, 5)}, config, services).key,
    }

    assert 4 == len(keys)


@given(order=st.permutations(range(6)))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_determinism_content_hash_ignores_row_order(services: Services, order: list[int]) -> None:
    """The content hash of a table does not depend on the order of its rows."""
    shuffled = run_stage(READ, {}, _Config(numbers=tuple(order)), services).rows

    assert _rows(services, 6).content_hash == shuffled.content_hash


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only folders")
def test_a_read_only_warehouse_is_a_clear_error(services: Services) -> None:
    """A warehouse that cannot be written says so, and how to go on."""
    services.workspace.root.mkdir(parents=True)
    services.workspace.root.chmod(0o500)

    with pytest.raises(WarehouseError, match="cannot write"):
        _rows(services, 1)


def test_a_warehouse_whose_folder_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    """A path that cannot become a folder is refused with the reason."""
    (tmp_path / "occupied").write_text("")

    with pytest.raises(WarehouseError, match="occupied"):
        _rows(Services(Workspace(tmp_path / "occupied")), 1)


_KILLED = """
import sys
from pathlib import Path
from tests.warehouse.test_runner import DROP, _Config, _rows, run_stage
from warehouse.stages import Services, Workspace
services = Services(Workspace(Path(sys.argv[1])))
print("ready", flush=True)
config = _Config(numbers=(3,), verdicts=("drop",))
print(run_stage(DROP, {"rows": _rows(services, 400)}, config, services).rows.content_hash)
"""


def test_content_keyed_resume_survives_kills(tmp_path: Path) -> None:
    """Killed at ten random points, the stage is either finished or not begun, and a re-run gives the same content."""
    command = [sys.executable, "-c", _KILLED]
    undisturbed = subprocess.run([*command, str(tmp_path / "calm")], capture_output=True, text=True, check=True)
    expected = undisturbed.stdout.split()[-1]
    chance = random.Random(20)
    for kill in range(10):
        root = tmp_path / f"kill{kill // 5}"
        with subprocess.Popen([*command, str(root)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert "ready\n" == process.stdout.readline()
            time.sleep(chance.uniform(0, 0.25))
            process.send_signal(signal.SIGKILL)
        for record in root.glob("work/*/[0-9a-f]*/stage.json"):
            assert (record.parent / "rows" / "part-00000.parquet").exists()
    for name in ("kill0", "kill1"):
        after = subprocess.run([*command, str(tmp_path / name)], capture_output=True, text=True, check=True)
        assert expected == after.stdout.split()[-1]


@pytest.mark.parametrize("damage", ["short", "garbled", "gone", "other"])
def test_damaged_work_is_named_and_done_anew_once_deleted(services: Services, damage: str) -> None:
    """A stage that cannot read what it works on tells which folder to delete; after that the run goes on."""
    rows = _rows(services, 8)
    folder = services.workspace.folder(rows)
    (part,) = folder.glob("*.parquet")
    content = part.read_bytes()
    broken = {"short": content[:100], "garbled": content[:20] + b"\x5a" * (len(content) - 28) + content[-8:]}
    if damage == "gone":
        part.unlink()
    elif damage == "other":
        pl.DataFrame({"other": [1]}).write_parquet(part)
    else:
        part.write_bytes(broken[damage])

    with pytest.raises(WarehouseError, match="was damaged or changed") as failure:
        run_stage(DROP, {"rows": rows}, _Config(), services)

    assert f"delete {folder.parent} and run again" in str(failure.value)
    shutil.rmtree(folder.parent)
    assert 8 == run_stage(DROP, {"rows": _rows(services, 8)}, _Config(), services).counts["kept"]


@pytest.mark.parametrize(
    "record", ["", '{"counts": {}}', '{"counts": {}, "tables": {"rows": {"new": 1}}, "seconds": 1}']
)
def test_an_unreadable_record_of_finished_work_is_named(services: Services, record: str) -> None:
    """What a power cut or another version left of ``stage.json`` is an error with a way out, not a traceback."""
    folder = services.workspace.folder(_rows(services, 8)).parent
    (folder / "stage.json").write_text(record)

    with pytest.raises(WarehouseError, match=f"Hint: delete {folder} and run again"):
        _rows(services, 8)
