"""Writing a release: a published version as a relocatable folder, moved into place in one rename.

::

    releases/NAME/VERSION/
        data/CONFIG/SPLIT/00000-of-00064.parquet    rows and nothing else
        manifest.json  README.md  croissant.json  contract.odcs.yaml  lineage.ndjson  CHANGELOG.md

Equal rows, information and library versions give equal bytes.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import duckdb

from schemas.contracts import Contract
from schemas.errors import InputError, WarehouseError
from schemas.ids import digest
from warehouse.fingerprint import combine, content_hash, file_sha256, read_parquet_sql
from warehouse.release.documents import documents
from warehouse.release.info import ReleaseInfo
from warehouse.release.licences import LicenceRollUp, roll_up
from warehouse.release.manifest import FORMAT, MANIFEST, read_manifest, render, seal
from warehouse.release.order import Part, survey
from warehouse.release.shards import Shard, describe, write_shards

__all__ = ["Release", "existing_release", "write_release"]


@dataclass(frozen=True)
class Release:
    """A written release.

    Parameters
    ----------
    folder
        Where it lies.
    manifest
        What `manifest.json` holds.
    """

    folder: Path
    manifest: Mapping[str, Any]


def write_release(rows: Sequence[Path], contract: Contract, info: ReleaseInfo, folder: Path) -> Release:
    """Write a release folder, or return the one that is there with the same rows.

    Parameters
    ----------
    rows
        Parquet files with the columns of ``contract``, in any order and layout.
    folder
        Where the release will lie.

    Raises
    ------
    GateFailed
        If the rows' licences may not be mixed.
    InputError
        If there are no rows, or a phase has a name that no reader could use.
    WarehouseError
        If the folder holds something else, for a version never changes, or cannot be written, or the rows not read.
    """
    staging = folder.parent / f".{folder.name}.{os.getpid()}"
    try:
        if folder.exists():
            return existing_release(folder, rows, contract)
        parts = survey(rows, contract)
        if not parts:
            raise InputError(f"{info.dataset} {info.version} has no rows to release.")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        manifest = _fill(staging, rows, contract, parts, info)
        staging.rename(folder)
    except (OSError, duckdb.Error) as error:
        if getattr(error, "errno", None) in (errno.EEXIST, errno.ENOTEMPTY):
            return existing_release(folder, rows, contract)
        raise WarehouseError(
            f"the release cannot be written to {folder}: {error}.",
            hint="check free space and permissions, and that the files of the version are whole (`sluice audit NAME`).",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Release(folder, manifest)


def existing_release(folder: Path, rows: Sequence[Path], of: Contract) -> Release:
    """Return the release that lies in a folder.

    Raises
    ------
    WarehouseError
        If it holds other rows.
    """
    manifest = read_manifest(folder)
    if manifest.get("content_hash") != content_hash(rows, of)[0]:
        raise WarehouseError(
            f"{folder} holds a release of other rows; a released version never changes.",
            hint="publish a new version.",
        )
    return Release(folder, manifest)


def _fill(folder: Path, rows: Sequence[Path], of: Contract, parts: Sequence[Part], info: ReleaseInfo) -> dict[str, Any]:
    licences = _licences(rows, of, info)
    paths = write_shards(rows, of, parts, info.publish, folder)
    described = describe(paths, of, folder)
    shards = {part: [s for s in described if s.path.startswith(f"data/{part.config}/{part.split}/")] for part in parts}
    for name, text in documents(folder, of, shards, licences, info).items():
        (folder / name).write_text(text, encoding="utf-8")
    manifest = seal(_manifest(of, shards, licences, info) | {"files": _files(folder)})
    (folder / MANIFEST).write_text(render(manifest), encoding="utf-8")
    return manifest


def _licences(rows: Sequence[Path], of: Contract, info: ReleaseInfo) -> LicenceRollUp:
    if "license" not in of.names:
        return LicenceRollUp("LicenseRef-unknown", {}, ())
    query = f"SELECT license, count(*) FROM {read_parquet_sql(rows)} GROUP BY 1 ORDER BY 1"  # noqa: S608 - paths are quoted
    with duckdb.connect() as connection:
        return roll_up(dict(connection.execute(query).fetchall()), info.publish.accept_licenses)


def _manifest(
    of: Contract,
    shards: Mapping[Part, Sequence[Shard]],
    licences: LicenceRollUp,
    info: ReleaseInfo,
) -> dict[str, Any]:
    every = [shard for files in shards.values() for shard in files]
    rows = sum(shard.rows for shard in every)
    low, high = (sum(shard.row_hash_sum[half] for shard in every) for half in (0, 1))
    return {
        "format": FORMAT,
        "dataset": info.dataset,
        "version": info.version,
        "published_at": info.published_at.isoformat(),
        "run_id": info.run_id,
        "contract": {
            "name": of.name,
            "version": of.version,
            "schema_digest": of.schema_digest,
            "key": list(of.key),
            "columns": [[c.name, str(c.type), c.nullable, c.volatile] for c in of.columns],
        },
        "content_hash": combine(of, rows, low, high),
        "rows": rows,
        "parts": [
            {"config": p.config, "split": p.split, "rows": p.rows, "shards": [shard.to_json() for shard in files]}
            for p, files in shards.items()
        ],
        "licences": {
            "expression": licences.expression,
            "rows": dict(licences.rows),
            "accepted": list(licences.accepted),
        },
        "code_version": info.code_version,
        "writers": {name: installed(name) for name in ("duckdb", "pyarrow")},
        "recipe": dict(info.recipe),
        "recipe_hash": digest(dict(info.recipe)),
        "seeds": dict(info.seeds),
        "parents": [dict(parent) for parent in info.parents],
        "reports": dict(info.reports),
        "training_plan": dict(info.training_plan),
        "deviations": list(info.deviations),
        "targets": [dict(target) for target in info.targets],
    }


def _files(folder: Path) -> list[dict[str, Any]]:
    """Describe the files beside the data."""
    return [
        {"path": path.name, "bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in sorted(folder.glob("*.*"))
    ]
