"""Data sets of the `datasets` library as sources; the library never runs a data set's own code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curation.sources.files import Record
from schemas.errors import InputError, MissingExtra
from schemas.ids import digest
from schemas.recipe.sources import Dataset, SourceFile

__all__ = ["dataset_fingerprint", "dataset_records"]


def dataset_fingerprint(dataset: Dataset, base_dir: Path) -> SourceFile:
    """Return the data set as if it were a file: its name, the digest of its content's fingerprint, its place.

    Raises
    ------
    MissingExtra
        If `datasets` is not installed.
    InputError
        If the data set cannot be loaded.
    """
    local = base_dir / dataset.name
    location = local.absolute() if local.exists() else Path(dataset.name)
    fingerprint = _load(dataset, location)._fingerprint  # noqa: SLF001 - the library's only name for its content
    return SourceFile(name=f"{dataset.name}[{dataset.split}]", digest=digest(fingerprint), location=location)


def dataset_records(dataset: Dataset, location: Path) -> Iterator[Record]:
    """Yield the rows of a data set, from its memory-mapped files."""
    for number, row in enumerate(_load(dataset, location), 1):
        yield Record(number, row)


def _load(dataset: Dataset, location: Path) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra("datasets", "datasets") from error
    saved = location.is_dir() and any((location / name).exists() for name in ("state.json", "dataset_dict.json"))
    try:
        if saved:
            loaded = datasets.load_from_disk(str(location))
            return loaded[dataset.split] if isinstance(loaded, datasets.DatasetDict) else loaded
        return datasets.load_dataset(str(location), dataset.config, split=dataset.split, revision=dataset.revision)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            f"the data set {dataset.name!r}, split {dataset.split!r}, cannot be loaded: {error}.",
            hint="give a name on the hub, or the path of a folder that `datasets` saved or can read.",
        ) from error
