"""From a published version to folders that stand on their own: the release, and an export per trainer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curation.decontaminate.stage import DECONTAMINATE
from curation.decontaminate.summary import removed_by_rule
from curation.drive import deviations
from flows.ingestion import register_policies
from flows.phases import phases, recipe_of, run_of
from schemas.errors import ExportRefused
from schemas.recipe.publish import Publish
from schemas.recipe.recipe import Recipe
from schemas.records import PROMPT_SET
from schemas.registry import contract
from warehouse.exports import export, readiness
from warehouse.exports.target import Options
from warehouse.fingerprint import parts
from warehouse.house import Warehouse
from warehouse.release.info import Change, ReleaseInfo, StageOfRun
from warehouse.release.write import Release, existing_release, write_release
from warehouse.versions import Version

__all__ = ["HandedOff", "export_all", "export_folder", "export_folders", "release"]


@dataclass(frozen=True)
class HandedOff:
    """What became of one export.

    Parameters
    ----------
    refused
        Why the trainer would not read the rows as published; None if it does.
    """

    target: str
    folder: Path
    rows: int = 0
    refused: str | None = None


def export_all(
    warehouse: Warehouse,
    version: Version,
    targets: Sequence[str],
    out: Path | None = None,
    options: Options | None = None,
) -> list[HandedOff]:
    """Export a version to each trainer; a refusal is told, and stops no other export.

    Parameters
    ----------
    out
        Folder to write; with several targets each gets a folder of its own in it. By default `export_folder`.

    Raises
    ------
    ExportRefused
        If the version holds something else than prompts.
    """
    if version.contract != PROMPT_SET.name:
        raise ExportRefused(
            f"{version.name}@{version.version} holds rows of contract {version.contract!r}, and trainers read prompts.",
            hint=f"`sluice push {version.name} FOLDER` releases it as Parquet, for `datasets.load_dataset` too.",
        )
    folders = export_folders(warehouse, version, targets, out)
    return [
        _exported(warehouse, version, target, folder, options) for target, folder in zip(targets, folders, strict=True)
    ]


def _exported(warehouse: Warehouse, version: Version, target: str, folder: Path, options: Options | None) -> HandedOff:
    files = warehouse.files(version.name, version.version)
    try:
        report = export(files, target, folder, options, dataset=f"{version.name}@{version.version}")
    except ExportRefused as refusal:
        return HandedOff(target, folder, refused=refusal.message)
    return HandedOff(target, folder, report.rows)


def export_folders(
    warehouse: Warehouse, version: Version, targets: Sequence[str], out: Path | None = None
) -> list[Path]:
    """Return where each export lies: in ``out`` if given, each in a folder of its own where there are several."""
    if out is None:
        return [export_folder(warehouse, version, target) for target in targets]
    return [out / target if len(targets) > 1 else out for target in targets]


def export_folder(warehouse: Warehouse, version: Version, target: str) -> Path:
    """Return where an export lies unless a person says otherwise."""
    return warehouse.root / "exports" / version.name / version.version / target


def release(warehouse: Warehouse, version: Version) -> Release:
    """Write the release folder of a version, or return the one that is there.

    Everything it says comes from the warehouse: the version, its run and the recipe of that run.
    """
    register_policies(warehouse.root)
    of = contract(version.contract)
    folder = warehouse.root / "releases" / version.name / version.version
    files = warehouse.files(version.name, version.version)
    if folder.exists():
        return existing_release(folder, files, of)
    return write_release(files, of, _info(warehouse, version), folder)


def _info(warehouse: Warehouse, version: Version) -> ReleaseInfo:
    run = run_of(warehouse, version)
    return ReleaseInfo(
        dataset=version.name,
        version=version.version,
        published_at=version.published_at,
        run_id=version.run_id,
        code_version=run["code_version"],
        recipe=json.loads(run["recipe"]),
        seeds=dict(_seeds(json.loads(run["recipe"]))),
        started_at=run["started_at"],
        stages=list(_stages(warehouse, run)),
        parents=json.loads(run["inputs"]),
        history=[Change(v.version, v.published_at, v.notes) for v in reversed(warehouse.versions(version.name))],
        **(_of_prompts(warehouse, version) if version.contract == PROMPT_SET.name else _of_others(version)),
    )


def _of_prompts(warehouse: Warehouse, version: Version) -> dict[str, Any]:
    """Return what a release says that was built from a recipe, for trainers."""
    recipe = recipe_of(warehouse, version)
    return {
        "reports": {"decontamination": _decontamination(warehouse, version.run_id)},
        "training_plan": {"phases": phases(warehouse, version)},
        "deviations": _deviations(recipe),
        "targets": _targets(warehouse, version, recipe.publish.exports),
        "publish": recipe.publish,
    }


def _of_others(version: Version) -> dict[str, Any]:
    """Return what a release says of rows that no trainer reads, such as minimized records."""
    return {"publish": Publish(description=contract(version.contract).doc)}


def _stages(warehouse: Warehouse, run: Mapping[str, Any]) -> Iterator[StageOfRun]:
    """Yield the stages that a run went through, in order, with what each read and made."""
    edges = warehouse.book("lineage").filter(run_id=run["run_id"], output_kind="table").collect()
    for counts in json.loads(run["counts"]):
        own = edges.filter(stage=counts["stage"]).sort("output", "input")
        if own.height:
            yield StageOfRun(counts["stage"], own["output"][0], tuple(own["input"].unique().sort()), counts["kept"])


def _targets(warehouse: Warehouse, version: Version, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the loader of each trainer that the recipe names would see."""
    if not names:
        return []
    return [ready.to_json() for ready in readiness(warehouse.files(version.name, version.version), names)]


def _deviations(recipe: Recipe) -> list[dict[str, Any]]:
    if recipe.curricula.drive is None:
        return []
    return [deviation.to_json() for deviation in deviations(recipe.curricula.drive)]


def _seeds(part: Any, place: str = "") -> Iterator[tuple[str, int]]:
    """Yield every seed of a recipe with the place it stands at."""
    if isinstance(part, Mapping):
        for key, value in part.items():
            here = f"{place}.{key}".lstrip(".")
            if key == "seed":
                yield here, value
            else:
                yield from _seeds(value, here)
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from _seeds(value, f"{place}.{index}")


def _decontamination(warehouse: Warehouse, run_id: str) -> dict[str, Any]:
    """Return what decontamination took out of the run's rows, and what each rule finds or would have found."""
    found = warehouse.book("decisions").filter(run_id=run_id, stage=DECONTAMINATE.name)
    counts = found.group_by("verdict", "reason").len().sort("verdict", "reason").collect()
    told = {"decisions": counts.to_dicts(), "book": "decisions", "stage": DECONTAMINATE.name}
    made = warehouse.book("lineage").filter(pl.col("output").str.starts_with(f"{DECONTAMINATE.name}@"), run_id=run_id)
    for name in made.select("output").unique().collect().to_series():
        stage, _, key = name.partition("@")
        if paths := parts(warehouse.root / "work" / stage / key / "hits"):
            told["rules"] = removed_by_rule(pl.scan_parquet(paths, glob=False)).to_dicts()
    return told
