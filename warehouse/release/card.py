"""The dataset card: a README that people read and whose front matter `datasets.load_dataset` follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq
import yaml

from schemas.contracts import Contract
from schemas.derive.features import features
from warehouse.release.info import ReleaseInfo
from warehouse.release.licences import LicenceRollUp
from warehouse.release.order import WHOLE, Part

__all__ = ["card", "front_matter"]

_HUB_LICENCES = {
    "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-2.0", "CC-BY-3.0",
    "CC-BY-4.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0",
    "CC0-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0", "GPL-2.0", "GPL-3.0", "ISC", "MIT", "ODC-By", "ODbL", "PDDL",
    "Unlicense", "Zlib",
}  # fmt: skip
"""SPDX ids that the Hub knows, in lower case, as licences of a dataset."""

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))


def front_matter(
    of: Contract,
    parts: Mapping[Part, Sequence[pq.FileMetaData]],
    licences: LicenceRollUp,
    title: str,
) -> dict[str, Any]:
    """Return the card's YAML: one configuration per curriculum, one split per phase, each with explicit files.

    Parameters
    ----------
    parts
        The Parquet metadata of each part's shards.
    """
    configs = list(dict.fromkeys(part.config for part in parts))
    of_config = {config: [part for part in parts if part.config == config] for config in configs}
    return {
        "pretty_name": title,
        **_licence(licences),
        "size_categories": [_size(sum(part.rows for part in parts))],
        "configs": [
            {
                "config_name": config,
                **({"default": True} if config == configs[0] else {}),
                "data_files": [
                    {"split": part.split, "path": f"data/{config}/{part.split}/*.parquet"} for part in of_config[config]
                ],
            }
            for config in configs
        ],
        "dataset_info": [_info(of, config, {part: parts[part] for part in of_config[config]}) for config in configs],
    }


def card(matter: Mapping[str, Any], info: ReleaseInfo, facts: Sequence[tuple[str, str]]) -> str:
    """Return the card's text: front matter, description, and a table of facts."""
    first = matter["configs"][0]
    split = first["data_files"][0]["split"]
    table = "\n".join(f"| {name} | {value} |" for name, value in facts)
    return (
        f"---\n{yaml.safe_dump(dict(matter), sort_keys=False, allow_unicode=True)}---\n\n"
        f"# {info.title} {info.version}\n\n{info.publish.description.strip() or 'A dataset published with Sluice.'}\n\n"
        "```python\n"
        "from datasets import load_dataset\n\n"
        f'rows = load_dataset("path/to/this/folder", "{first["config_name"]}", split="{split}")\n'
        "```\n\n"
        f"{_order(first['config_name'])}\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        "`manifest.json` holds the digest of every file (`sluice verify-release` checks them), `contract.odcs.yaml`\n"
        "the data contract, `croissant.json` the Croissant metadata, `lineage.ndjson` the OpenLineage events of its\n"
        "run, `CHANGELOG.md` what changed in each version.\n"
    )


def _info(of: Contract, config: str, parts: Mapping[Part, Sequence[pq.FileMetaData]]) -> dict[str, Any]:
    splits = [
        {
            "name": part.split,
            "num_bytes": sum(meta.row_group(i).total_byte_size for meta in metas for i in range(meta.num_row_groups)),
            "num_examples": part.rows,
        }
        for part, metas in parts.items()
    ]
    return {
        "config_name": config,
        "features": features(of),
        "splits": splits,
        "dataset_size": sum(split["num_bytes"] for split in splits),
    }


def _order(config: str) -> str:
    if config == WHOLE:
        return "Rows lie in the order of their key."
    return "Rows lie in training order; read them unshuffled where the order is the curriculum."


def _licence(licences: LicenceRollUp) -> dict[str, Any]:
    if not licences.rows:
        return {"license": "unknown"}
    if set(licences.rows) <= _HUB_LICENCES:
        names = [name.lower() for name in licences.rows]
        return {"license": names[0] if len(names) == 1 else names}
    return {"license": "other", "license_name": licences.expression}


def _size(rows: int) -> str:
    return next((name for limit, name in _SIZES if rows < limit), "n>10M")
