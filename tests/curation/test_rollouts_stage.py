"""The rollouts stage: every answer judged once, nothing dropped, nothing lost to kills, the same whatever the order."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.rollouts.stage import ROLLOUTS, pin, sampler_digest
from schemas.errors import InputError, ModelError
from schemas.ids import digest, record_id
from schemas.recipe.rollouts import Mutants, OpenAI, Policy, Recorded, Rollouts, Sampler
from schemas.recipe.verify import Verify
from tests.curation.code_problems import asserted, called, problems_stored, stream
from tests.curation.endpoint import Endpoint
from tests.curation.sampling import BATCH, CONCURRENCY, PROBLEMS
from tests.tables import problem
from warehouse.runner import run_stage
from warehouse.stages import Services, StageRun, Workspace

_ROOT = Path(__file__).resolve().parents[2]
_VERIFY = Verify(workers=2, time_limit_s=2)
_MUTANTS = Mutants(backend="mutants", samples=4)


def _rollouts(services: Services, problems: list[dict[str, Any]], *policies: Policy, **changes: Any) -> StageRun:
    config = Rollouts(policies=policies, **({"verify": _VERIFY} | changes))
    return run_stage(ROLLOUTS, {"rows": problems_stored(services.workspace, problems)}, config, services)


def _rows(services: Services, run: StageRun, name: str = "rollouts") -> pl.DataFrame:
    return services.workspace.scan(run.tables[name]).collect()


def _summed(body: dict[str, Any]) -> list[str]:
    """Answer the summing problems: right, wrong or not a program, as the request's digest has it."""
    programs = [
        "n = int(input())\nprint(sum(int(input()) for _ in range(n)))\n# {}",
        "print(6)\n# {}",
        "raise SystemExit(3)  # {}",
    ]
    marks = [digest([body["messages"], body["seed"], index]) for index in range(body["n"])]
    return [programs[int(mark, 16) % 3].format(int(mark, 16) % 7) for mark in marks]


def test_every_sample_is_a_judged_row(services: Services) -> None:
    """Each answer of each policy has its id, its raw verdict and its settings; nobody is dropped."""
    problems = [asserted(1), called(2), stream(3), problem(4)]
    hot = Mutants(backend="mutants", name="hot", temperature=8, samples=3)

    run = _rollouts(services, problems, _MUTANTS, hot)

    rows = _rows(services, run)
    assert {"in": 4, "kept": 4, "dropped": {}, "failed": 0} == run.counts
    asked = rows.group_by("policy", "problem_id").len().select("policy", "len")
    assert [("hot", 3)] * 4 + [("mutants", 4)] * 4 == sorted(asked.rows())
    first = rows.filter(problem_id=problems[0]["problem_id"], policy="hot", sample_index=2).row(0, named=True)
    sampler = sampler_digest(hot)
    assert record_id("r", problems[0]["problem_id"], "hot", "1", sampler, 2) == first["rollout_id"]
    assert (sampler, len(first["response"])) == (first["sampler"], first["response_chars"])
    assert rows.select((pl.col("all_passed") == (pl.col("status") == "AC")).all()).item()
    assert rows.select((pl.col("passed") <= pl.col("total")).all()).item()
    assert {"AC"} < {*rows["status"]}


def test_order_of_rows_changes_nothing(services: Services) -> None:
    """The same problems in another order give the same rollouts and decisions."""
    problems = [make(n) for n in range(3) for make in (asserted, stream)]

    runs = [_rollouts(services, given, _MUTANTS) for given in (problems, problems[::-1])]

    assert 1 == len({tuple(ref.content_hash for ref in run.tables.values()) for run in runs})


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(temperature=st.sampled_from([0, 0.5, 1, 3, 20]), first=st.integers(1, 8), more=st.integers(1, 12))
def test_escalation_never_discards(services: Services, temperature: float, first: int, more: int) -> None:
    """Problems with no right answer get the last round, no problem is dropped, and no answer is lost or doubled."""
    policy = Mutants(backend="mutants", temperature=temperature)
    problems = [stream(n) for n in range(4)]

    run = _rollouts(services, problems, policy, escalation={"levels": [first, first + more]})

    counted = (
        _rows(services, run)
        .group_by("problem_id")
        .agg(
            n=pl.len(),
            early=(pl.col("all_passed") & (pl.col("sample_index") < first)).sum(),
            indices=pl.col("sample_index").sort(),
        )
    )
    assert {"in": 4, "kept": 4, "dropped": {}, "failed": 0} == run.counts
    assert 4 == counted.height
    for n, early, indices in counted.select("n", "early", "indices").iter_rows():
        assert n in (first, first + more)
        assert early or n == first + more
        assert [*range(n)] == indices


def test_the_unsolved_are_flagged_not_dropped(services: Services) -> None:
    """0 of 8 leads to 64 answers and a flag with their number; a problem nobody answers is flagged too."""
    hopeless = stream(1, reference_solutions=["print('no')\n"])
    bare = stream(2, reference_solutions=[])

    run = _rollouts(services, [hopeless, bare], Mutants(backend="mutants"))

    decided = _rows(services, run, "decisions").sort("reason")
    assert [
        (bare["problem_id"], "flag", "no_answers", 0.0, None),
        (hopeless["problem_id"], "flag", "unsolved", 64.0, '{"policies":["mutants@1"]}'),
    ] == decided.select("record_id", "verdict", "reason", "measured", "detail").rows()
    assert 2 == run.counts["kept"]


def test_a_second_run_asks_and_judges_nothing(services: Services, tmp_path: Path) -> None:
    """Work done before is not redone in a warehouse whose stages were swept: same bytes, no endpoint, no sandbox."""
    problems = [stream(n) for n in range(3)]
    with Endpoint(_summed) as endpoint:
        policy = OpenAI(backend="openai", name="made", base_url=endpoint.url, program="answer", samples=4)
        first = _rollouts(services, problems, policy)
    (services.workspace.root / "work").rename(tmp_path / "swept")

    again = _rollouts(
        services, problems, policy.model_copy(update={"base_url": "http://127.0.0.1:9/v1", "attempts": 1})
    )

    assert first.tables["rollouts"].content_hash == again.tables["rollouts"].content_hash
    assert not again.cached


def test_a_dead_endpoint_fails_the_stage_and_keeps_its_answers(services: Services) -> None:
    """The error names the endpoint; a re-run against a live one pays only for the rest."""
    problems = [stream(n) for n in range(6)]
    policy = {"backend": "openai", "name": "made", "program": "answer", "samples": 4, "attempts": 1, "concurrency": 1}
    with Endpoint(_summed, dies_after=4) as dying, pytest.raises(ModelError, match="connection failed"):
        _rollouts(services, problems, OpenAI(base_url=dying.url, **policy))
    with Endpoint(_summed) as live:
        run = _rollouts(services, problems, OpenAI(base_url=live.url, **policy))

    assert (4, 2) == (dying.answered.total(), live.answered.total())
    assert 24 == run.tables["rollouts"].rows


def test_a_changed_recording_is_new_work(services: Services, tmp_path: Path) -> None:
    """The digest of a recorded table is part of the stage's key: its change is seen, its place does not matter."""
    path = tmp_path / "answers.jsonl"
    policy = Recorded(
        backend="recorded", name="made", path=path.name, program="answer", sampler=Sampler(temperature=0.8)
    )
    keys = []
    for text in ("5", "5", "6"):
        path.write_text(f'{{"problem": "4", "response": "{text}"}}\n')
        config = pin(Rollouts(policies=(policy,), verify=_VERIFY), tmp_path)
        run = run_stage(ROLLOUTS, {"rows": problems_stored(services.workspace, [problem(4)])}, config, services)
        keys.append((run.key, run.cached, _rows(services, run)["all_passed"].to_list()))

    assert keys[0][0] == keys[1][0] != keys[2][0]
    assert [(False, [True]), (True, [True]), (False, [False])] == [key[1:] for key in keys]
    with pytest.raises(InputError, match="cannot be read"):
        pin(Rollouts(policies=(policy,)), tmp_path / "elsewhere")


def _start(root: Path, endpoint: Endpoint, log: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.curation.sampling", str(root), endpoint.url, str(log)]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    return subprocess.Popen(
        command,
        cwd=_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def _finish(process: subprocess.Popen[str]) -> tuple[list[str], list[str]]:
    out, err = process.communicate(timeout=240)
    assert 0 == process.returncode, err
    lines = out.splitlines()
    return lines[-1].split()[1:], lines[:-1]


def test_a_kill_redoes_at_most_one_batch(tmp_path: Path) -> None:
    """Ten kills at random steps: the same rollouts; each redoes at most the requests and the batch in hand."""
    chance = random.Random(20)
    undisturbed, judged = tmp_path / "undisturbed.log", tmp_path / "judged.log"
    kills = 0
    with Endpoint(_summed) as endpoint:
        expected, steps = _finish(_start(tmp_path / "undisturbed", endpoint, undisturbed))
        asked = endpoint.answered.total()
    with Endpoint(_summed) as endpoint:
        for _ in range(10):
            process = _start(tmp_path / "killed", endpoint, judged)
            for _, _line in zip(range(chance.randrange(1, len(steps))), process.stdout, strict=False):
                pass
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
            process.stdout.close()
            process.stderr.close()
        actual, _ = _finish(_start(tmp_path / "killed", endpoint, judged))
        asked_again = endpoint.answered.total() - asked

    programs = undisturbed.read_text().splitlines()
    judged_again = len(judged.read_text().splitlines()) - len(programs)
    assert expected == actual
    assert int(expected[1]) >= 4 * PROBLEMS
    assert 10 == kills
    assert {1} == {programs.count(program) for program in programs}
    assert 0 <= asked_again <= kills * CONCURRENCY
    assert 0 <= judged_again <= kills * BATCH


def test_rollouts_of_many_problems_stream(workspace: Workspace) -> None:
    """More problems than a batch holds all come through, each once, with their answers in the table's contract."""
    services = Services(workspace)
    problems = [problem(n) for n in range(75)]

    run = _rollouts(services, problems, Mutants(backend="mutants", samples=2, temperature=0))

    rows = _rows(services, run)
    assert 150 == rows.height == rows["rollout_id"].n_unique()
    assert {"AC"} == {*rows["status"]}
