"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from warehouse.engines import SparkEngine
from warehouse.house import Warehouse
from warehouse.stages import Services, Workspace

settings.register_profile("house", deadline=None)
settings.load_profile("house")

_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty warehouse folder."""
    return Workspace(tmp_path / "warehouse")


@pytest.fixture
def services(workspace: Workspace) -> Services:
    """Services over an empty warehouse, saying nothing."""
    return Services(workspace)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real inputs; set SLUICE_DATA where it lies elsewhere."""
    folder = Path(os.environ.get("SLUICE_DATA", _ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real inputs are not at {folder}; set SLUICE_DATA to run this test")
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A warehouse with two versions and full books; tests only read it."""
    from tests.built import build

    return build(tmp_path_factory.mktemp("built") / "warehouse")


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkEngine]:
    """One Spark engine for the whole session, on two local cores."""
    pytest.importorskip("pyspark")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs a JDK, and none is here")
    engine = SparkEngine("local[2]")
    yield engine
    engine.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Make a file system of a few megabytes of its own."""
    folder = tmp_path / "disk"

    def mount(megabytes: int) -> Path:
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True, check=False)
        if mounted.returncode:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", "-l", folder], check=True)
