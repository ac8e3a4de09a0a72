"""Prefect around the job: deployments, a server for each run, flows, tasks and artifacts that its API tells of."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from flows.orchestration import prefect_server
from schemas.errors import WarehouseError
from tests.flows.conftest import ROOT, Ran, _without_server
from tests.flows.small import recipe
from warehouse.house import Warehouse

DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
pytestmark = pytest.mark.usefixtures("server")
_FLOWS = {"prompt-set", "next-phase", "maintenance", "minimize", "lake"}


def test_prefect_yaml_is_what_prefect_reads() -> None:
    """The file is valid by Prefect's own model, key by key."""
    from prefect.cli.deploy._models import PrefectYamlModel

    text = (ROOT / "prefect.yaml").read_text()
    model = PrefectYamlModel.model_validate(yaml.safe_load(text))

    assert [one["name"] for one in DEPLOYMENTS] == [one.name for one in model.deployments]


def test_every_deployment_names_a_flow_that_takes_its_parameters() -> None:
    """Entry points import to flows; parameters fit their signatures, and each is explained in Prefect's forms."""
    from prefect.flows import load_flow_from_entrypoint

    found = {}
    for one in DEPLOYMENTS:
        path, name = one["entrypoint"].split(":")
        flow = load_flow_from_entrypoint(f"{ROOT / path}:{name}")
        found[one["name"]] = flow.name
        assert set(one["parameters"]) <= set(flow.parameters.properties)
        assert set(flow.parameters.required or ()) <= set(one["parameters"])
        assert [] == [key for key, asked in flow.parameters.properties.items() if "description" not in asked]

    assert _FLOWS == set(found.values())


def test_schedules_are_off_and_runs_do_not_overlap() -> None:
    """Nothing starts by itself before a person says so, and never twice at once."""
    for one in DEPLOYMENTS:
        assert [False] * len(one["schedules"]) == [schedule["active"] for schedule in one["schedules"]]
        assert {"limit": 1, "collision_strategy": "ENQUEUE"} == one["concurrency_limit"]
    assert {"lake", "nightly", "weekly"} == {one["name"] for one in DEPLOYMENTS if one["schedules"]}


@pytest.fixture
def api(server: str) -> Iterator[Callable[[str, dict[str, Any]], list[dict[str, Any]]]]:
    """Ask the server's API for a list of things."""
    with httpx.Client(base_url=server, timeout=60) as client:

        def asked(path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
            answer = client.post(path, json=body)
            answer.raise_for_status()
            return answer.json()

        yield asked


@pytest.fixture(scope="module")
def deployed(server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a real server has of the deployments after `prefect deploy --all`, by name."""
    environment = os.environ | {"PREFECT_API_URL": server, "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))}
    prefect = [sys.executable, "-m", "prefect", "--no-prompt"]
    for command in (["work-pool", "create", "sluice", "--type", "process"], ["deploy", "--all"]):
        ran = subprocess.run(
            [*prefect, *command], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
        )
        assert 0 == ran.returncode, ran.stdout + ran.stderr
    return {one["name"]: one for one in httpx.post(f"{server}/deployments/filter", json={}, timeout=60).json()}


def test_a_deployment_is_taken_by_a_real_server_as_it_stands(deployed: dict[str, Any]) -> None:
    """The server has all deployments, off, limited and parametrised, and looks for the flows in this checkout."""
    assert {one["name"] for one in DEPLOYMENTS} == set(deployed)
    for one in DEPLOYMENTS:
        taken = deployed[one["name"]]
        (pull,) = taken["pull_steps"]
        assert [] == [schedule for schedule in taken["schedules"] if schedule["active"]]
        assert 1 == taken["global_concurrency_limit"]["limit"]
        assert one["parameters"] == taken["parameters"]
        assert str(ROOT) == pull["prefect.deployments.steps.set_working_directory"]["directory"]


def test_a_schedule_that_is_on_plans_runs(server: str, deployed: dict[str, Any], api: Callable) -> None:
    """The server's scheduler works with the libraries that are installed beside it."""
    nightly = f"{server}/deployments/{deployed['nightly']['id']}"
    schedule = {"active": True, "schedule": {"cron": "0 3 * * *"}}
    httpx.post(f"{nightly}/schedules", json=[schedule], timeout=60).raise_for_status()
    httpx.post(f"{nightly}/schedule", json={"min_runs": 3}, timeout=60).raise_for_status()
    planned = api("/flow_runs/filter", {"deployments": {"id": {"any_": [deployed["nightly"]["id"]]}}})
    httpx.delete(nightly, timeout=60).raise_for_status()

    assert 3 <= len(planned)
    assert {"SCHEDULED"} == {run["state"]["type"] for run in planned}


def test_a_run_is_told_by_the_api_task_by_task(api: Callable, ask: Callable[..., Ran], tmp_path: Path) -> None:
    """Each stage is a task run of one completed flow run; funnel, gate and report are artifacts of its dataset."""
    began = datetime.now(UTC).isoformat()
    told = ask("run", recipe(tmp_path), "--warehouse", tmp_path / "house", "--json").json
    (run,) = api("/flow_runs/filter", {"flow_runs": {"start_time": {"after_": began}}})
    tasks = api("/task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    artifacts = api("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}})

    assert ("COMPLETED", str(tmp_path / "small.yaml")) == (run["state"]["type"], run["name"])
    stages = {stage["stage"] for stage in told["stages"]}
    assert stages | {"books", "publish", "hand-off", "report"} == {one["name"] for one in tasks}
    assert {"COMPLETED"} == {one["state"]["type"] for one in tasks}
    kept = {one["key"]: one["data"] for one in artifacts}
    assert {"small-funnel", "small-gate", "small-report"} == set(kept)
    assert all(stage in kept["small-funnel"] for stage in stages)
    assert {"ok"} == {check["outcome"] for check in json.loads(kept["small-gate"])}


def test_maintenance_runs_as_a_flow(api: Callable, tmp_path: Path) -> None:
    """The weekly flow sweeps a warehouse, and says what it removed."""
    from flows.maintenance import maintenance

    Warehouse.open(tmp_path)

    assert 0 == maintenance(str(tmp_path))
    assert 1 == len(api("/artifacts/filter", {"artifacts": {"key": {"any_": ["maintenance-removed"]}}}))


def test_a_server_of_ones_own_is_used_and_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where PREFECT_API_URL is set, no server is started."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with prefect_server(tmp_path / "house"):
        assert "http://127.0.0.1:9/api" == os.environ["PREFECT_API_URL"]

    assert not (tmp_path / "house").exists()


def test_a_server_that_cannot_start_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error holds the server's last words and where the rest stands."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "nonsense")
    with (
        pytest.raises(WarehouseError, match=r"does not start: .*nonsense|does not start: .+") as failure,
        prefect_server(tmp_path),
    ):
        pass

    assert "server.log" in str(failure.value.hint)
    assert "PREFECT_API_URL" not in os.environ


_SERVED = """
import sys, time
from pathlib import Path
from flows.orchestration import prefect_server
with prefect_server(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_the_server_ends_with_its_run_however_that_ends(how: signal.Signals, tmp_path: Path) -> None:
    """A killed run leaves no server behind, and its port is free again."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVED, tmp_path], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=_without_server()
    ) as run:
        assert "ready\n" == run.stdout.readline()
        servers = psutil.Process(run.pid).children(recursive=True)
        ports = [connection.laddr.port for one in servers for connection in one.net_connections("tcp")]
        run.send_signal(how)
    assert servers
    assert [] == psutil.wait_procs(servers, timeout=30)[1]
    with closing(socket.socket()) as probe:
        assert 0 != probe.connect_ex(("127.0.0.1", ports[0]))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_content_keyed_resume_of_a_real_run_survives_kills(tmp_path: Path) -> None:
    """`sluice run` killed at several points of its way, server and all, comes to the end that it always comes to."""
    asked = recipe(tmp_path)
    command = [sys.executable, "-c", "from flows.cli import main; main()", "run", str(asked), "--warehouse"]

    def start(root: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, str(root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
            env=_without_server(),
        )  # fmt: skip

    with start(tmp_path / "calm") as calm:
        assert 0 == calm.wait()
    expected = Warehouse.open(tmp_path / "calm").version("small").content_hash
    for line in ("starting", "read:", "gold:", "curricula:"):
        with start(tmp_path / "killed") as run:
            seen = next((told for told in run.stderr if told.startswith(line)), None)
            assert seen is not None
            time.sleep(0.3)
            family = psutil.Process(run.pid).children(recursive=True)
            run.kill()
        assert [] == psutil.wait_procs(family, timeout=30)[1]
        assert -signal.SIGKILL == run.returncode
    with start(tmp_path / "killed") as last:
        assert 0 == last.wait()
    house = Warehouse.open(tmp_path / "killed")

    assert [expected] == [version.content_hash for version in house.versions("small")]
    assert ["published"] == house.book("runs").collect()["status"].to_list()
