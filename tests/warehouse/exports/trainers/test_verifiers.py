"""The exported package, installed, is a taskset of verifiers; its tasks are judged by the judge that curated them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.warehouse.exports.trainers.stubs import stubbed

pytestmark = pytest.mark.trainers


@pytest.fixture(scope="module")
def vf() -> Iterator[ModuleType]:
    """Verifiers, without the clients of remote machines that it imports."""
    with stubbed("mcp", "prime_runs", "prime_sandboxes", "prime_tunnel", "uvicorn"):
        yield pytest.importorskip("verifiers.v1", reason="verifiers is not installed")


@pytest.fixture(scope="module")
def package(exported: Callable, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The export, and where `pip install` put the package that it is."""
    report = exported("verifiers-taskset")
    place = tmp_path_factory.mktemp("installed")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, "--target", str(place), str(report.folder)], check=True, timeout=300)
    return report, place


@pytest.fixture
def installed(package: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The export, its package importable."""
    report, place = package
    monkeypatch.syspath_prepend(str(place))
    for name in [name for name in sys.modules if name.partition(".")[0] == "sluice_demo"]:
        monkeypatch.delitem(sys.modules, name)
    return report


def test_tasks_arrive(vf: ModuleType, installed: Any, read_back: Callable, expected: list):
    """`load_taskset` finds the package by its id; tasks come in published order, each with a key of its own."""
    from verifiers.v1.utils.loaders import taskset_class

    kind = taskset_class("sluice-demo")
    config = sys.modules[kind.__module__].SluiceConfig(id="sluice-demo", phase="drive-stage1")
    tasks = list(vf.load_taskset(config))
    read_back(installed, "verifiers", len(tasks))
    assert [row["row_id"] for row in expected] == [task.key for task in tasks]
    for row, task in zip(expected, tasks, strict=True):
        system = [{"role": "system", "content": task.data.system_prompt}] if task.data.system_prompt else []
        said = system + [{"role": one.role, "content": one.content} for one in task.data.prompt]
        assert row["prompt"] == said


@pytest.mark.usefixtures("installed")
def test_tasks_are_judged(vf: ModuleType, expected: list):
    """A task's reward looks at the last reply alone: 1 for the reference, 0 for the known-wrong answer."""
    from verifiers.v1.utils.loaders import taskset_class

    kind = taskset_class("sluice-demo")
    config = sys.modules[kind.__module__].SluiceConfig(id="sluice-demo")
    task = next(iter(vf.load_taskset(config)))
    (judged,) = task.hooks("reward")
    for name, worth in (("reference_solutions", 1.0), ("wrong_solutions", 0.0)):
        trace = SimpleNamespace(last_reply=f"```python\n{expected[0][name][0]}```")
        assert worth == asyncio.run(judged(trace))


def test_an_environment_is_made_of_it(vf: ModuleType, installed: Any):
    """`load_environment` gives a single-agent environment over the phase."""
    import sluice_demo

    environment = sluice_demo.load_environment("drive-stage1")
    assert isinstance(environment, vf.SingleAgentEnv)
    assert installed.rows == len(list(environment.taskset))


@pytest.mark.usefixtures("installed")
def test_another_phase_is_refused():
    """A phase that the package does not hold is an error that names those it holds."""
    import sluice_demo

    with pytest.raises(ValueError, match="there are drive-stage1"):
        list(sluice_demo.rows("drive-stage9"))
