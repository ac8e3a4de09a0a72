"""The documents beside the data of a release: card, Croissant, data contract, lineage, changelog."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from schemas.contracts import Contract
from schemas.derive.odcs import odcs
from warehouse.release.card import card, front_matter
from warehouse.release.croissant import croissant
from warehouse.release.info import ReleaseInfo
from warehouse.release.licences import LicenceRollUp
from warehouse.release.openlineage import openlineage
from warehouse.release.order import Part
from warehouse.release.shards import Shard

__all__ = ["documents"]


def documents(
    folder: Path,
    of: Contract,
    shards: Mapping[Part, Sequence[Shard]],
    licences: LicenceRollUp,
    info: ReleaseInfo,
) -> dict[str, str]:
    """Return the text of each document by file name.

    Parameters
    ----------
    folder
        The release, its shards written.
    """
    metadata = {part: [pq.read_metadata(folder / shard.path) for shard in files] for part, files in shards.items()}
    matter = front_matter(of, metadata, licences, info.title)
    promised = odcs(
        of,
        dataset=info.dataset,
        version=info.version,
        purpose=info.publish.description.strip() or of.doc,
        location="data/*/*/*.parquet",
    )
    described = croissant(of, shards, licences, info)
    every = [shard for files in shards.values() for shard in files]
    return {
        "README.md": card(matter, info, _facts(of, shards, licences, info)),
        "croissant.json": json.dumps(described, indent=2, ensure_ascii=False) + "\n",
        "contract.odcs.yaml": yaml.safe_dump(promised, sort_keys=False, allow_unicode=True),
        "CHANGELOG.md": _changelog(info),
        "lineage.ndjson": openlineage(of, every, licences, info),
    }


def _facts(
    of: Contract,
    shards: Mapping[Part, Sequence[Shard]],
    licences: LicenceRollUp,
    info: ReleaseInfo,
) -> list[tuple[str, str]]:
    return [
        ("contract", f"`{of.name}` {of.version}"),
        ("published", info.date),
        ("licence", licences.expression),
        *((f"rows under {name}", str(rows)) for name, rows in licences.rows.items()),
        *((f"`{part.name}`", f"{part.rows} rows in {len(files)} shards") for part, files in shards.items()),
        *((f"{note['setting']} = {note['chosen']}", str(note["paper"])) for note in info.deviations),
    ]


def _changelog(info: ReleaseInfo) -> str:
    entries = [f"## {c.version} ({c.published_at.date().isoformat()})\n\n{c.notes.strip()}\n" for c in info.history]
    first = f"## {info.version} ({info.date})\n\nFirst version.\n"
    return f"# Changes of {info.dataset}\n\n" + "\n".join(entries or [first])
