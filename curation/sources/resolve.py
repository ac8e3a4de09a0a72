"""From what a recipe names to what is there: files with the digests of their bytes."""

from __future__ import annotations

from pathlib import Path

from curation.sources.files import FORMATS
from curation.sources.hub import dataset_fingerprint
from curation.sources.registry import layout
from schemas.errors import InputError
from schemas.recipe.paths import located
from schemas.recipe.sources import ResolvedSource, ResolvedSources, Source, SourceFile, Sources
from warehouse.fingerprint import input_sha256

__all__ = ["fingerprint"]

_MAGIC = "*?["


def fingerprint(sources: Sources, base_dir: Path) -> ResolvedSources:
    """Find every file of every source and digest its bytes: the configuration of the stage ``read``.

    Parameters
    ----------
    base_dir
        Folder of the recipe; relative paths start there.

    Raises
    ------
    InputError
        If a path leads to no readable file of a known format.
    UsageError
        If a source's kind is unknown.
    """
    return ResolvedSources(
        sources=tuple(_resolve(source, base_dir) for source in sources.sources), limits=sources.limits
    )


def _resolve(source: Source, base_dir: Path) -> ResolvedSource:
    layout(source.kind)
    if source.dataset is not None:
        return ResolvedSource(source=source, files=(dataset_fingerprint(source.dataset, base_dir),))
    found = _found(str(source.path), base_dir)
    if not found:
        raise InputError(
            f"source {source.name!r} names {source.path!r}, and nothing is there (looked from {base_dir}).",
            hint="give a file, a folder or a glob pattern of "
            f"{', '.join(FORMATS)} (or .gz of them), relative to the recipe.",
        )
    named = [_named(path, str(source.path), base_dir) for path in found]
    return ResolvedSource(source=source, files=tuple(sorted(named, key=lambda file: file.name)))


def _found(path: str, base_dir: Path) -> list[Path]:
    place = located(path, base_dir)
    if place.is_file():
        return [place]
    if place.is_dir():
        return [file for file in place.rglob("*") if _known(file)]
    if any(mark in str(place) for mark in _MAGIC):
        start, pattern = (Path(place.anchor), str(place.relative_to(place.anchor)))
        return [file for file in start.glob(pattern) if file.is_file()]
    return []


def _known(file: Path) -> bool:
    return file.is_file() and file.name.removesuffix(".gz").endswith(FORMATS)


def _named(path: Path, given: str, base_dir: Path) -> SourceFile:
    if not _known(path):
        raise InputError(
            f"{path} has no known format.",
            hint=f"known are {', '.join(FORMATS)}, each text format also as .gz.",
        )
    name = given if path == located(given, base_dir) else _relative(path, base_dir)
    return SourceFile(name=name, digest=input_sha256(path)[:32], location=path.absolute())


def _relative(path: Path, base_dir: Path) -> str:
    return str(path.relative_to(base_dir)) if path.is_relative_to(base_dir) else str(path)
