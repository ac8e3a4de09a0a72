"""The manifest of a release: one JSON file that names every other file and seals itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.errors import InputError
from schemas.ids import digest

__all__ = ["FORMAT", "MANIFEST", "is_sealed", "parse_manifest", "read_manifest", "render", "seal"]

FORMAT = "sluice-release/1"
MANIFEST = "manifest.json"


def seal(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest with its own digest, over everything else in it, as its last entry."""
    body = {name: value for name, value in manifest.items() if name != "digest"}
    return body | {"digest": digest(body)}


def is_sealed(manifest: Mapping[str, Any]) -> bool:
    """Tell whether the manifest is as it was sealed."""
    return manifest.get("digest") == seal(manifest)["digest"]


def render(manifest: Mapping[str, Any]) -> str:
    """Return the one spelling in which the manifest is written."""
    return json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a release folder.

    Raises
    ------
    InputError
        If there is none, or it is not a manifest that this version reads.
    """
    path = folder / MANIFEST
    try:
        return parse_manifest(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise InputError(f"{folder} is not a release folder: it has no {MANIFEST}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error


def parse_manifest(text: str, place: str) -> dict[str, Any]:
    """Return the manifest that ``text``, found at ``place``, spells.

    Raises
    ------
    InputError
        If it is not a manifest that this version reads.
    """
    try:
        manifest = json.loads(text)
    except ValueError as error:
        raise InputError(f"the manifest {place} is not JSON: {error}.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise InputError(f"{place} is not a manifest of format {FORMAT!r}: found {found!r}.")
    return manifest
