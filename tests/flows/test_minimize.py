"""Client records on their way into the warehouse: minimized, audited, and raw nowhere."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from flows.ingestion import Ingestion
from flows.minimize import minimize as minimize_flow
from flows.minimized_sources import reading
from privacy.minimize.apply import opened
from privacy.minimize.gate import ROW_ID, auditor, contract_of, numbered, suite
from privacy.minimize.policy import Policy
from privacy.minimize.rules import Categories, Drop, Interval
from schemas.errors import UsageError
from schemas.recipe.sources import Sources
from tests.flows.conftest import ROOT, Ran
from tests.flows.small import answer, write
from tests.privacy.minimize.corpora import policy_of
from warehouse.gate import audit
from warehouse.house import Warehouse
from warehouse.runner import run_stage, stage_key
from warehouse.stages import Services

_RAW = re.compile(rb"zq street|zq-rare|zq-[0-9]|7000000(?!27|28|35)[0-9]{2}")
"""Raw values of the clients below: what the policy itself does not say."""


def _policy(**more: Any) -> Policy:
    age = Interval(type="int", borders=["700000027.5", "700000035.5"])
    job = Categories(type="str", buckets={"g0": ["zq-sales", "zq-clerk"], "g1": ["zq-nurse"]})
    columns = {"age": age, "job": job, "street": Drop()}
    return policy_of(columns, passthrough={"y": "int"}, targets=("y",), client="person", **more)


def _write(path: Path, rows: int) -> Path:
    draw = random.Random(7)
    jobs = ["zq-sales", "zq-clerk", "zq-nurse", "zq-rare", ""]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["person", "age", "job", "street", "y"])
        for number in range(rows):
            street = f"zq street {number}"
            writer.writerow([f"zq-{number}", 700_000_000 + draw.randrange(60), draw.choice(jobs), street, number % 2])
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A table of 500 clients."""
    return _write(tmp_path / "clients.csv", 500)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The policy's file."""
    return _policy().save(tmp_path / "policy.yaml")


def _ingested(job: Ingestion) -> Warehouse:
    warehouse = Warehouse.open(job.root)
    job.publish(warehouse, job.minimize(Services(warehouse.workspace)))
    return warehouse


def _contents(path: Path) -> Iterator[bytes]:
    """Yield what a file holds, and what its pages hold where it is a Parquet file."""
    whole = path.read_bytes()
    yield whole
    if whole[:4] == b"PAR1" == whole[-4:]:
        yield json.dumps(pq.read_table(path).to_pylist(), default=str).encode()


def _raw_values(root: Path) -> list[str]:
    """Return the files that hold a raw value."""
    files = (path for path in root.rglob("*") if path.is_file())
    return [str(path) for path in files for content in _contents(path) if _RAW.search(content)]


def test_raw_values_are_found_nowhere(tmp_path: Path, source: Path, saved: Path) -> None:
    """After a whole run, no file of the warehouse holds one, in no page of any Parquet file."""
    warehouse = _ingested(Ingestion.of(saved, source, tmp_path / "warehouse", "clients"))

    rows = warehouse.scan("clients").collect()
    assert 500 == rows.height
    assert [ROW_ID, "age", "job", "y"] == rows.columns
    assert [] == _raw_values(tmp_path / "warehouse")
    assert [str(source)] == _raw_values(tmp_path)


def test_records_come_back_as_the_policy_says_whatever_their_order(tmp_path: Path, source: Path, saved: Path) -> None:
    """The version holds each record once, and nothing of the order in which they came."""
    lines = source.read_text().splitlines(keepends=True)
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("".join([lines[0], *random.Random(1).sample(lines[1:], len(lines) - 1)]))
    first = _ingested(Ingestion.of(saved, source, tmp_path / "first", "clients"))
    second = _ingested(Ingestion.of(saved, shuffled, tmp_path / "second", "clients"))

    rows = pl.read_csv(source, schema_overrides={"age": pl.Int64})
    ages = rows["age"].map_elements(lambda age: f"b{(age > 700_000_027) + (age > 700_000_035)}", pl.String)
    assert sorted(ages.to_list()) == sorted(first.scan("clients").collect()["age"].to_list())
    assert first.version("clients").content_hash == second.version("clients").content_hash
    assert first.scan("clients").collect().equals(second.scan("clients").collect())


def test_the_same_again_changes_nothing(tmp_path: Path, source: Path, saved: Path) -> None:
    """Neither the stage nor the publication is repeated."""
    job = Ingestion.of(saved, source, tmp_path / "warehouse", "clients")
    warehouse = _ingested(job)

    again = job.minimize(Services(warehouse.workspace))

    assert again.cached
    assert job.publish(warehouse, again).unchanged
    assert ["1.0.0"] == [version.version for version in warehouse.versions("clients")]


_CHILD = """
import sys
from pathlib import Path
from flows.ingestion import Ingestion
from warehouse.house import Warehouse
from warehouse.runner import run_stage, stage_key
from warehouse.stages import Services
import great_expectations
policy, source, root = map(Path, sys.argv[1:])
job = Ingestion.of(policy, source, root, "clients")
warehouse = Warehouse.open(root)
print("minimize", flush=True)
run = job.minimize(Services(warehouse.workspace))
print("publish", flush=True)
job.publish(warehouse, run)
"""


def _killed(script: Path, step: str, after: float, *arguments: Path) -> bool:
    """Kill a job some seconds into a step, and tell whether it was not done before."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, script, *arguments], stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        assert step in map(str.strip, child.stdout)
        time.sleep(after)
        child.send_signal(signal.SIGKILL)
    return -signal.SIGKILL == child.returncode


def test_a_kill_leaves_no_raw_value_behind(tmp_path: Path, saved: Path) -> None:
    """Killed while it works and while it publishes, it leaves nothing raw, and goes on as if nothing had happened."""
    source, root, script = _write(tmp_path / "many.csv", 60_000), tmp_path / "warehouse", tmp_path / "job.py"
    script.write_text(_CHILD, encoding="utf-8")
    killed = []
    for step, after in (("minimize", 0.05), ("minimize", 0.25), ("publish", 0.1), ("publish", 0.8)):
        killed.append(_killed(script, step, after, saved, source, root))
        assert [] == _raw_values(root)
    assert any(killed)

    warehouse = _ingested(Ingestion.of(saved, source, root, "clients"))

    assert 60_000 == warehouse.version("clients").rows
    assert [] == _raw_values(root)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (pl.lit("b7").alias("age"), "in_set(age): 500 of 500 rows break it"),
        (pl.lit("zq street 1").alias("street"), "columns: street is not in the contract"),
        (pl.lit(700_000_001).alias("age"), "types: age is Int32 instead of String"),
        (pl.lit(None, pl.String).alias("job"), "not_null(job): 500 of 500 rows break it"),
    ],
)
def test_the_gate_refuses_what_the_policy_does_not_allow(
    tmp_path: Path, source: Path, change: pl.Expr, said: str
) -> None:
    """A value outside the buckets, a raw column, a raw type and a missing bucket are each named."""
    policy = _policy()
    of = contract_of(policy)
    rows = numbered(opened(policy, source, tmp_path), of).collect().with_columns(change)
    rows.write_parquet(tmp_path / "rows.parquet")

    found = audit([tmp_path / "rows.parquet"], of)

    assert said in found.summary
    assert not found.success


def test_the_gate_refuses_groups_that_are_too_small(tmp_path: Path, source: Path) -> None:
    """Records alike in what is stored by rule are counted, whatever is passed through."""
    policy = _policy()
    of = contract_of(policy)
    numbered(opened(policy, source, tmp_path), of).sink_parquet(tmp_path / "rows.parquet")
    sizes = pl.read_parquet(tmp_path / "rows.parquet").group_by("age", "job").len()["len"]

    for smallest, success in ((int(sizes.min()), True), (int(sizes.min()) + 1, False)):
        assert success is auditor(policy, smallest=smallest)([tmp_path / "rows.parquet"], of).success


def test_the_suite_is_one_that_great_expectations_reads() -> None:
    """Its expectations are built from the document by the library itself, one per column and kind."""
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    document = suite(_policy())
    read = [ExpectationConfiguration(**one).to_domain_obj() for one in document["expectations"]]

    assert 5 == len(gx.ExpectationSuite("read", expectations=read).expectations)
    assert {"value_set": ["g0", "g1", "__null__", "__other__"], "column": "job"} == document["expectations"][-1][
        "kwargs"
    ]


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({}, set()),
        ({"age": "b7"}, {"expect_column_values_to_be_in_set"}),
        ({"job": None}, {"expect_column_values_to_not_be_null"}),
        ({"street": "zq street 1"}, {"expect_table_columns_to_match_set"}),
    ],
    ids=["minimized", "no bucket", "no value", "raw column"],
)
def test_the_suite_refuses_by_itself(tmp_path: Path, source: Path, change: dict[str, Any], broken: set[str]) -> None:
    """Whoever takes the document elsewhere has Great Expectations refuse raw columns and values that are no bucket."""
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    policy = _policy()
    rows = numbered(opened(policy, source, tmp_path), contract_of(policy)).collect().drop(ROW_ID)
    frame = rows.to_pandas()
    for name, value in change.items():
        frame[name] = [value, *frame.get(name, [value] * len(frame))[1:]]
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    batch = context.data_sources.pandas_default.read_dataframe(frame)
    read = [ExpectationConfiguration(**one).to_domain_obj() for one in suite(policy)["expectations"]]

    found = batch.validate(gx.ExpectationSuite("read", expectations=read))

    assert broken == {one.expectation_config.type for one in found.results if not one.success}


@pytest.mark.usefixtures("server")
def test_the_flow_publishes_through_prefect(tmp_path: Path, source: Path, saved: Path) -> None:
    """The thin flow does what its parts do, and tells it."""
    told = minimize_flow(str(saved), str(source), "clients", str(tmp_path / "warehouse"))

    assert ("1.0.0", 500, False) == (told["version"], told["rows"], told["unchanged"])
    assert [] == _raw_values(tmp_path / "warehouse")


def test_an_expired_policy_takes_nothing_in(tmp_path: Path, source: Path) -> None:
    """Neither the scheduled flow nor the source of a recipe applies it, not only the command."""
    expired = _policy(expires=date(2026, 1, 2)).save(tmp_path / "expired.yaml")
    with pytest.raises(UsageError, match="expired on 2026-01-02"):
        Ingestion.of(expired, source, tmp_path / "warehouse", "clients")

    sources = _asked(tmp_path / "in", _policy(expires=date(2026, 1, 2)))
    with pytest.raises(UsageError, match="expired on 2026-01-02"):
        reading(sources, tmp_path / "in")


def test_a_finer_policy_is_not_published_over_collected_clients(
    tmp_path: Path, source: Path, saved: Path, ask: Callable[..., Ran]
) -> None:
    """The command names the column that tells more, and the version stays."""
    root = tmp_path / "warehouse"
    _ingested(Ingestion.of(saved, source, root, "clients"))
    finer = _policy().model_copy(update={"columns": {**_policy().columns, "age": Interval(type="int", borders=["5"])}})
    finer.save(tmp_path / "finer.yaml")

    ran = ask("minimize", "publish", tmp_path / "finer.yaml", source, "--name", "clients", "-w", root)

    assert 2 == ran.code
    assert "column 'age' is finer" in ran.err
    assert "--accept-finer" in ran.err
    assert "What attackers guess who hold both releases" in ran.out
    assert ["1.0.0"] == [version.version for version in Warehouse.open(root).versions("clients")]


def test_a_published_version_is_audited_again_in_another_process(
    tmp_path: Path, source: Path, saved: Path, command: Callable[..., Ran]
) -> None:
    """The warehouse keeps the policy, from which the contract follows."""
    _ingested(Ingestion.of(saved, source, tmp_path / "warehouse", "clients"))

    ran = command("audit", "clients", "-w", tmp_path / "warehouse")

    assert (0, "") == (ran.code, ran.err)
    assert "in_set(job)" in ran.out


def test_minimized_records_are_released_by_another_process(
    tmp_path: Path, source: Path, saved: Path, command: Callable[..., Ran], ask: Callable[..., Ran]
) -> None:
    """Pushed with policy, file and digests, and nothing raw: whole, and read back as published."""
    root, mirror = tmp_path / "warehouse", tmp_path / "mirror"
    warehouse = _ingested(Ingestion.of(saved, source, root, "clients"))

    ran = command("push", "clients", mirror, "-w", root)

    assert (0, "") == (ran.code, "" if ran.code == 0 else ran.err)
    release = mirror / "clients" / "1.0.0"
    assert "whole, every file as published" in ask("verify-release", release).out
    rows = pl.read_parquet(release / "data" / "default" / "train" / "*.parquet")
    assert warehouse.scan("clients").collect().equals(rows.sort(ROW_ID))
    manifest = json.loads((release / "manifest.json").read_text())
    assert (_policy().digest, ["clients.csv"]) == (
        manifest["recipe"]["sha256"],
        [parent["file"] for parent in manifest["parents"]],
    )
    card = (release / "README.md").read_text()
    assert "Records minimized by policy" in card
    assert "license: unknown" in card
    assert "Rows lie in the order of their key." in card
    assert [] == _raw_values(mirror)
    assert [] == _raw_values(root)


def test_versions_of_minimized_records_are_shown_and_compared(
    tmp_path: Path, source: Path, saved: Path, command: Callable[..., Ran], ask: Callable[..., Ran]
) -> None:
    """Under a coarser policy the column that went is a change of every record, in a process that made neither."""
    root = tmp_path / "warehouse"
    _ingested(Ingestion.of(saved, source, root, "clients"))
    coarser = _policy().model_copy(update={"columns": {**_policy().columns, "age": Drop()}})
    coarser.save(tmp_path / "coarser.yaml")
    _ingested(Ingestion.of(tmp_path / "coarser.yaml", source, root, "clients"))

    shown, changed = ask("show", "clients", "-w", root).out, command("diff", "clients", "1.0.0", "2.0.0", "-w", root)

    assert "clients@2.0.0" in shown
    assert "Curricula" not in shown
    assert (0, True) == (changed.code, "a major change" in changed.out)
    assert 0 == ask("audit", "clients@1.0.0", "-w", root).code


def test_what_makes_no_sense_of_minimized_records_is_refused(
    tmp_path: Path, source: Path, saved: Path, command: Callable[..., Ran], ask: Callable[..., Ran]
) -> None:
    """No trainer reads them, and no story leads from one back to whom it came from."""
    root = tmp_path / "warehouse"
    warehouse = _ingested(Ingestion.of(saved, source, root, "clients"))
    one = warehouse.scan("clients").collect()[ROW_ID][0]

    exported = ask("export", "clients", "--to", "verl-rl", "-w", root)
    asked, unknown = ask("why", one, "-w", root), command("why", "p_unheard_of", "-w", root)

    assert 11 == exported.code
    assert "trainers read prompts" in exported.err
    assert "sluice push clients FOLDER" in exported.err
    assert not (root / "exports").exists()
    assert (2, True) == (asked.code, "is a minimized record of clients@1.0.0" in asked.err)
    assert (2, True) == (unknown.code, "nothing called 'p_unheard_of'" in unknown.err)


def _asked(folder: Path, policy: Policy) -> Sources:
    """Return a source whose problems come with the profile of the client who asked."""
    policy.save(folder / "profile.yaml")
    kept = ("id", "prompt", "answer")
    rows = [{name: text for name, text in answer(number).items() if name in kept} for number in range(12)]
    raw = {"job": "zq-rare", "street": "zq street"}
    people = [{"person": f"zq-{number}", "age": 700_000_000 + number, **raw} for number in range(12)]
    write(folder / "asked.jsonl", [row | person for row, person in zip(rows, people, strict=True)])
    columns = {"id": "id", "prompt": "prompt", "answer": "answer", "meta": ["age", "job"]}
    section = {"name": "asked", "kind": "table", "verifier": "math", "path": "asked.jsonl", "minimize": "profile.yaml"}
    return Sources.model_validate({"sources": [{**section, "columns": columns}]})


def test_a_recipes_source_passes_its_policy_first(tmp_path: Path) -> None:
    """Problems carry the minimized profile, and no file of the warehouse holds a raw value."""
    texts = dict.fromkeys(("id", "prompt", "answer"), "str")
    policy = _policy().model_copy(update={"passthrough": texts, "targets": ()})
    stage, config = reading(_asked(tmp_path / "in", policy), tmp_path / "in")

    run = run_stage(stage, {}, config, Services(Warehouse.open(tmp_path / "warehouse").workspace))

    rows = Warehouse.open(tmp_path / "warehouse").workspace.scan(run.rows).collect()
    assert 12 == rows.height
    assert ['{"age":"b0","job":"__other__"}'] == rows["meta"].unique().to_list()
    assert [] == _raw_values(tmp_path / "warehouse")


def test_another_policy_is_another_input_of_the_recipe(tmp_path: Path) -> None:
    """The key of the stage changes with the policy's hash, and only with it."""
    texts = dict.fromkeys(("id", "prompt", "answer"), "str")
    policy = _policy().model_copy(update={"passthrough": texts, "targets": ()})
    sources = _asked(tmp_path, policy)
    keys = []
    for changes in ({}, {"purpose": "another word for it"}, {"columns": {**policy.columns, "age": Drop()}}):
        policy.model_copy(update=changes).save(tmp_path / "profile.yaml")
        stage, config = reading(sources, tmp_path)
        keys.append(stage_key(stage, {}, config))

    assert keys[0] == keys[1]
    assert keys[1] != keys[2]
