"""Whatever a person or a machine gets wrong: one clear line, a hint and its exit code, or a named rejection."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from curation.verify import judge, ladder
from schemas.enums import Isolation
from tests.built import DATASET, build
from tests.curation.endpoint import Endpoint
from tests.flows.conftest import ROOT, Ran, _without_server
from tests.flows.small import answer, recipe, rows, source, write
from warehouse.house import Warehouse

pytestmark = pytest.mark.usefixtures("server")
Ask = Callable[..., Ran]
_NOBODY = 65534


def _refused(ran: Ran, code: int, *words: str) -> None:
    """Check that a command ended with one error and nothing else: no result, no traceback."""
    lines = f"\n{ran.err}".split("\nerror: ")
    assert (code, "") == (ran.code, ran.out), ran
    assert 2 == len(lines), ran.err
    assert "Traceback" not in ran.err
    assert "leaked" not in ran.err
    for word in words:
        assert word in lines[1]


def _answers_only(folder: Path, lines: list[dict[str, Any]], **sections: Any) -> Path:
    """Write a recipe over one source of answers, as cheap to build as can be."""
    asked = {"sources": [source(write(folder / "answers.jsonl", lines))], **sections}
    return recipe(folder, **asked)


@pytest.mark.parametrize(
    ("sections", "code", "words"),
    [
        ({"dedupe": {}}, 2, ("unknown key 'dedupe'", "did you mean 'dedup'?", "hint:")),
        ({"gold": {"mutatns": 3}}, 2, ("gold.mutatns", "did you mean 'mutants'?")),
        ({"engine": 7}, 2, ("engine: Input should be 'local' or 'spark' (got 7)",)),
        ({"verify": {"time_limit_s": "long"}}, 2, ("time_limit_s", "valid number", "(got 'long')")),
        ({"sources": []}, 2, ("sources:", "at least 1 item")),
        ({"publish": {"exports": ["datsets"]}}, 2, ("'datsets'", "did you mean 'datasets'?")),
        ({"sources": [{"name": "a", "kind": "gsm8k", "path": "absent.jsonl"}]}, 3, ("'absent.jsonl'", "hint:")),
        ({"sources": [{"name": "a", "kind": "gsm9k", "path": "small.yaml"}]}, 2, ("'gsm9k'", "'gsm8k'")),
    ],
)
def test_a_recipe_that_cannot_be_built_is_refused_before_anything_happens(
    sections: dict[str, Any], code: int, words: tuple[str, ...], ask: Ask, tmp_path: Path
) -> None:
    """Misspelt keys, wrong types, missing files and unknown names: place, what was meant, and no warehouse made."""
    asked = recipe(tmp_path, **sections)

    for command in ("plan", "run"):
        _refused(ask(command, asked, "--warehouse", tmp_path / "house"), code, *words)
    assert not (tmp_path / "house").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run", "absent.yaml"), 3, ("recipe 'absent.yaml' cannot be read", "No such file")),
        (("run",), 2, ("Missing argument 'RECIPE'",)),
        (("pubish", "a.yaml"), 2, ("No such command 'pubish'", "hint:")),
        (("run", "a.yaml", "--fats"), 2, ("No such option", "--fats")),
        (("verify-release", "absent"), 2, ("'absent' does not exist",)),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(
    arguments: tuple[str, ...], code: int, words: tuple[str, ...], ask: Ask
) -> None:
    """Unknown commands and options, arguments that are missing or lead nowhere."""
    _refused(ask(*arguments), code, *words)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("show", "promts"), 2, ("'promts'", "did you mean 'prompts'?")),
        (("show", "prompts@1.0.9"), 2, ("no version '1.0.9'", "did you mean")),
        (("sql", "FROM promts"), 2, ("promts", 'did you mean "prompts"?')),
        (("sql", "SELECT prolbem_id FROM prompts"), 2, ("prolbem_id", 'did you mean "problem_id"?')),
        (("sql", "SELEC 1"), 2, ("DuckDB refuses", "hint:")),
        (("why", "p_0000"), 2, ("p_0000", "hint:")),
        (("diff", "prompts", "1.0.7"), 2, ("no version '1.0.7'",)),
        (("rollback", "prompts", "9.9.9"), 2, ("no version '9.9.9'", "it has 1.0.0, 1.1.0")),
        (("rollback", "promts", "1.0.0"), 2, ("did you mean 'prompts'?",)),
        (("export", "prompts", "--to", "verl_rl"), 2, ("'verl_rl'", "did you mean 'verl-rl'?")),
        (("export", "promts", "--to", "verl-rl"), 2, ("did you mean 'prompts'?",)),
        (("audit", "prompts@2.0.0"), 2, ("no version '2.0.0'",)),
        (("verify", "prompts", "absent.jsonl"), 3, ("absent.jsonl cannot be read",)),
    ],
)
def test_a_name_that_nothing_carries_is_refused_with_the_nearest(
    arguments: tuple[str, ...], code: int, words: tuple[str, ...], ask: Ask, built: Warehouse
) -> None:
    """Datasets, versions, views, columns, records, targets: what there is, and what was probably meant."""
    assert DATASET == "prompts"
    _refused(ask(*arguments, "--warehouse", built.root), code, *words)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM prompts",
        "CREATE TABLE mine AS SELECT 1",
        "COPY prompts TO '/tmp/stolen.csv'",
        "FROM read_text('/etc/passwd')",
        "FROM read_csv('/etc/passwd')",
        "ATTACH '/tmp/other.db'",
        "INSTALL httpfs",
        "SELECT 1; DROP VIEW prompts",
        "SET enable_external_access = true",
    ],
)
def test_a_query_that_would_write_or_read_files_is_refused(query: str, ask: Ask, built: Warehouse) -> None:
    """The warehouse answers questions about its own tables, and does nothing else."""
    _refused(ask("sql", query, "--warehouse", built.root), 2)


def test_a_warehouse_that_is_not_there_is_said(ask: Ask, tmp_path: Path) -> None:
    """Looking into nothing makes nothing."""
    for arguments in (("show",), ("sql", "SELECT 1"), ("why", "x"), ("rollback", "a", "1.0.0")):
        _refused(ask(*arguments, "--warehouse", tmp_path / "none"), 6, "hint:")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("is empty: ", "holds no row")),
        (b"\n\n", ("is empty: ",)),
        (b"no json\n", ("no usable row", "1 not_json")),
        (b'{"id": "a", "answer": "3"}\n', ("no usable row", "1 missing_field")),
        ("ü\n".encode("utf-16"), ("is UTF-16 text", "convert it to UTF-8")),
    ],
)
def test_a_source_without_a_problem_stops_the_run(
    content: bytes, words: tuple[str, ...], ask: Ask, tmp_path: Path
) -> None:
    """Nothing is built from nothing, and the person learns which source it is."""
    asked = _answers_only(tmp_path, rows(range(1)))
    (tmp_path / "answers.jsonl").write_bytes(content)

    _refused(ask("run", asked, "--warehouse", tmp_path / "house"), 3, "answers", *words)


def test_rows_that_are_no_problems_become_named_rejections(ask: Ask, tmp_path: Path) -> None:
    """Null prompts, no tests, contradictions, repeats, wrong types and encodings: each is told, the rest is built."""
    contradictory = [{"args": [1], "expected": 1}, {"args": [1], "expected": 2}]
    functions = {"verifier": "calls", "columns": {"id": "id", "prompt": "prompt", "tests": "tests", "entry_point": "f"}}
    code = [{"id": "none", "tests": []}, {"id": "two", "tests": contradictory}]
    programs = write(
        tmp_path / "programs.jsonl", [{"prompt": f"Write f {one['id']}.", "f": "f", **one} for one in code]
    )
    sound = {"id": "one", "prompt": "Write f.", "f": "f", "tests": contradictory[:1]}
    write(programs, [*map(json.loads, programs.read_text().splitlines()), sound])
    bad = [answer(20, prompt=None), answer(0, id="again"), answer(21, answer=None), answer(22, prompt={"no": "text"})]
    asked = _answers_only(tmp_path, [*rows(range(3)), *bad])
    with (tmp_path / "answers.jsonl").open("ab") as file:
        file.write(json.dumps(answer(23, prompt="Café?"), ensure_ascii=False).encode("latin-1") + b"\n{half\n")
    sources = [source(tmp_path / "answers.jsonl"), source(programs, **functions)]
    asked = recipe(tmp_path / "again", sources=sources)
    told = ask("run", asked, "--warehouse", tmp_path / "house", "--json").json
    found = ask("sql", "FROM rejections ORDER BY file, line", "--warehouse", tmp_path / "house", "--json").json

    assert {"in": 12, "kept": 4, "rejected": 8} == {key: told["stages"][0][key] for key in ("in", "kept", "rejected")}
    assert [
        ("null_prompt", 4), ("duplicate_id", 5), ("null_expected", 6), ("wrong_type", 7),
        ("invalid_text", 8), ("not_json", 9), ("no_tests", 1), ("contradictory_tests", 2),
    ] == [(row["reason"], row["line"]) for row in found]  # fmt: skip


_PEAK = """
import json, resource, sys
from pathlib import Path
from flows.build import Build
from warehouse.stages import Services, Workspace
for name in sys.argv[1:]:
    build = Build.of(Path(name), Path(name).parent / "house")
    run = build.steps[0].run({}, Services(Workspace(build.root)))
    print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, run.counts]))
"""


def test_a_prompt_of_100_mb_is_a_rejection_in_bounded_memory(tmp_path: Path) -> None:
    """A row beyond the limit is never held whole, nor does it stop the rows after it."""
    plain = _answers_only(tmp_path / "plain", rows(range(3)))
    huge = _answers_only(tmp_path / "huge", rows(range(2)))
    with (tmp_path / "huge" / "answers.jsonl").open("a") as file:
        file.write('{"id": "huge", "answer": "1", "prompt": "')
        for _ in range(100):
            file.write("x" * 2**20)
        file.write('"}\n' + json.dumps(answer(5)) + "\n")
    ran = subprocess.run(
        [sys.executable, "-c", _PEAK, plain, huge], capture_output=True, text=True, cwd=ROOT, check=True
    )
    (before, _), (after, counts) = map(json.loads, ran.stdout.splitlines())

    assert {"in": 4, "kept": 3, "rejected": 1} == {key: counts[key] for key in ("in", "kept", "rejected")}
    assert after - before < 160


def test_a_set_with_nothing_left_is_not_published(ask: Ask, tmp_path: Path) -> None:
    """Where every row is taken out, the error tells which stage took what, and readers see no version."""
    wrong = [answer(n, reference_solutions=["\\boxed{0}"]) for n in range(2)]
    asked = _answers_only(tmp_path, wrong)
    ran = ask("run", asked, "--warehouse", tmp_path / "house")

    _refused(ran, 4, "no row is left to publish", "gold took out 2", "hint:")
    assert [] == ask("show", "--warehouse", tmp_path / "house", "--json").json
    found = ask("sql", "SELECT reason, count(*) AS n FROM decisions GROUP BY 1", "-w", tmp_path / "house", "--json")
    assert [{"reason": "reference_fails", "n": 2}] == found.json
    status = ask("sql", "SELECT status FROM runs", "--warehouse", tmp_path / "house", "--json").json
    assert [{"status": "rejected"}] == status


def test_isolation_that_cannot_be_given_is_refused(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No program is judged more weakly than the recipe demands."""
    here = ladder.detect().capped(Isolation.L1)
    monkeypatch.setattr(judge, "detect", lambda: here)
    asked = recipe(tmp_path, verify={"isolation": "L3"})

    _refused(ask("run", asked, "--warehouse", tmp_path / "house"), 9, "isolation L3 is demanded", "reaches L1")


def _through(endpoint: Endpoint, **changes: Any) -> dict[str, Any]:
    policy = {"backend": "openai", "name": "made", "program": "answer", "base_url": endpoint.url, "attempts": 2}
    return {"policies": [{**policy, "samples": 2, "concurrency": 1, "timeout_seconds": 1, **changes}]}


@pytest.mark.parametrize(
    ("fault", "words"),
    [("close", "connection failed"), ("hang", "no answer within"), ("html", "not a completion"), (500, "HTTP 500")],
)
def test_a_model_server_that_fails_in_the_middle_costs_nothing_twice(
    fault: int | str, words: str, ask: Ask, tmp_path: Path
) -> None:
    """It dies, hangs, answers garbage or refuses: the run says so, and the next one asks only for what is missing."""
    with Endpoint(faults=["fine", "fine", *[fault] * 50]) as endpoint:
        asked = _answers_only(tmp_path, rows(range(5)), rollouts=_through(endpoint))
        _refused(ask("run", asked, "--warehouse", tmp_path / "house"), 10, words, "hint:")
        endpoint.faults = iter(())
        told = ask("run", asked, "--warehouse", tmp_path / "house", "--json").json

    assert 5 == told["rows"]
    assert [1] * 5 == [*endpoint.answered.values()]


@pytest.mark.parametrize("cache", ["verdicts", "requests"])
def test_a_corrupt_cache_is_said_and_may_be_deleted(cache: str, ask: Ask, tmp_path: Path) -> None:
    """A cache full of noise stops the run; without it, the run pays again."""
    path = tmp_path / "house" / "cache" / f"{cache}.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"noise" * 1000)
    with Endpoint() as endpoint:
        asked = _answers_only(tmp_path, rows(range(2)), rollouts=_through(endpoint))
        _refused(ask("run", asked, "--warehouse", tmp_path / "house"), 6, f"{cache}.sqlite", "may be deleted")
        path.unlink()
        assert 0 == ask("run", asked, "--warehouse", tmp_path / "house").code


def test_a_corrupt_catalog_is_said_by_every_command(ask: Ask, built: Warehouse, tmp_path: Path) -> None:
    """A catalog full of noise is an error of the warehouse, for readers and for writers; nothing is written over it."""
    root = Path(shutil.copytree(built.root, tmp_path / "house"))
    (root / "catalog.db").write_bytes(b"noise" * 1000)
    asked = _answers_only(tmp_path, rows(range(1)))
    for arguments in (("show",), ("sql", "SELECT 1"), ("why", "x"), ("rollback", "prompts", "1.0.0"), ("run", asked)):
        _refused(ask(*arguments, "--warehouse", root), 6, "catalog.db is corrupt: put it back from a backup")
    assert b"noise" * 1000 == (root / "catalog.db").read_bytes()


def test_a_full_disk_is_said_and_the_next_run_goes_on(
    ask: Ask, small_disk: Callable[[int], Path], tmp_path: Path
) -> None:
    """With no room left the run stops with a hint, wherever that is; with room again it comes to its end."""
    disk = small_disk(3)
    asked = _answers_only(tmp_path, rows(range(3)))
    filler = disk / "filler"
    for leaving in (0, 60_000, 200_000):
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            file.write(bytes(os.statvfs(disk).f_bavail * 4096 - leaving))
        _refused(ask("run", asked, "--warehouse", disk / "house"), 6, "hint:", "space")
        filler.unlink()

    assert 3 == ask("run", asked, "--warehouse", disk / "house", "--json").json["rows"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without rights")
def test_a_warehouse_of_somebody_else_is_read_and_not_written() -> None:
    """Without the right to write, questions are answered and changes are refused."""
    shared = Path("/tmp") / f"sluice-{os.getpid()}-{time.monotonic_ns()}"
    root = build(shared / "house").root
    shared.chmod(0o755)
    try:
        for arguments in (("show",), ("diff", "prompts", "1.0.0")):
            ran = _as_nobody(*arguments, "--warehouse", root)
            assert (0, "") == (ran.code, ran.err)
        for arguments in (("rollback", "prompts", "1.0.0"), ("clean",)):
            _refused(_as_nobody(*arguments, "--warehouse", root), 6, "check its permissions")
    finally:
        shutil.rmtree(shared)


def _as_nobody(*arguments: object) -> Ran:
    """Run the command line without rights; what it needs of Python is imported before they go."""
    code = (
        "import os, sys; from importlib import import_module; from flows.cli import COMMANDS, main\n"
        "for module, _ in COMMANDS.values(): import_module(f'flows.cli.{module}')\n"
        "import pyiceberg.catalog.sql, sqlalchemy.dialects.sqlite\n"
        f"os.setgid({_NOBODY}); os.setuid({_NOBODY}); main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


@pytest.mark.timeout(600)
def test_an_interrupt_ends_with_130_and_the_next_run_goes_on(server: str, ask: Ask, tmp_path: Path) -> None:
    """Control-C is no crash: at once one line, exit status 130, nothing left behind, and finished stages are kept."""
    with Endpoint(faults=["fine", "fine", *["hang"] * 50]) as endpoint:
        asked = _answers_only(tmp_path, rows(range(5)), rollouts=_through(endpoint, timeout_seconds=120))
        process = subprocess.Popen(
            [sys.executable, "-c", "from flows.cli import main; main()", "run", asked, "-w", tmp_path / "house"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=_without_server() | {"PREFECT_API_URL": server},
        )
        while endpoint.answered.total() < 2:
            time.sleep(0.1)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
        unasked = [*endpoint.faults]
        endpoint.faults = iter(())
        told = ask("run", asked, "--warehouse", tmp_path / "house", "--json").json

    _refused(Ran(process.returncode, out, err), 130, "interrupted", "run the same command again")
    assert 49 == len(unasked), "the answer that hung was waited for"
    assert {"read", "normalise", "dedup", "gold"} <= {one["stage"] for one in told["stages"] if one["cached"]}
    assert [1] * 5 == [*endpoint.answered.values()]
