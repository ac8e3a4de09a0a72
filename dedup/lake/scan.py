"""Reading the files of a lake once: digests, columns, statistics, and the fingerprints of their cells.

Small files of one shape are parsed and hashed together, for there the cost of a call is what counts; a large file is
read in pieces and keeps no cells. What was read is kept batch by batch, so that a kill repeats one batch: a few
megabytes of small files, or one large one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from dedup.lake.files.compression import SUFFIXES
from dedup.lake.files.storage import File, Storage
from dedup.lake.files.tables import Found
from dedup.lake.fingerprints.store import Store
from dedup.lake.large_files import read_one_by_one
from dedup.lake.small_files import TEXT_CELLS, read_together
from warehouse.engines import Engine
from warehouse.figures import size
from warehouse.progress import Progress

__all__ = ["scan"]

_BATCH_BYTES = 4 << 20
_BATCH_FILES = 512
_PACKED = 8
"""How many bytes of text one of a compressed file stands for, about."""
_TASK = "read files"


def scan(  # noqa: PLR0913, PLR0917 - all that reading needs
    files: Iterable[tuple[File, str]], storage: Storage, store: Store, keep: int, engine: Engine, progress: Progress
) -> dict[File, Found]:
    """Return what is in each file, reading those that changed since they were last read.

    Parameters
    ----------
    files
        Files with their formats.
    keep
        Bytes of cell fingerprints that a file may have at most for them to be kept.
    """
    files = list(files)
    done = _known(files, store)
    progress.start(_TASK, len(files), "files")
    progress.advance(_TASK, len(done))
    left = [item for item in files if item[0] not in done]
    small = [item for item in left if _text_bytes(item[0]) * (1 if item[1] == "parquet" else TEXT_CELLS) <= keep]
    chosen = {file for file, _ in small}
    large = [item for item in left if item[0] not in chosen]
    for found in engine.map_chunks(partial(read_together, storage, store, keep), _batches(small), 1):
        large += [(one.file, one.format) for one in found if one.print is None]
        _take([one for one in found if one.print is not None], store, done, progress)
    for found in engine.map_chunks(partial(read_one_by_one, storage), large, 1):
        _take([found], store, done, progress)
    progress.finish(_TASK, f"{size(sum(found.bytes_read for found in done.values()))} read")
    return done


def _take(found: list[Found], store: Store, done: dict[File, Found], progress: Progress) -> None:
    store.remember((one.file, one.format, one.digest, one.print) for one in found if one.digest and one.print)
    done.update((one.file, one) for one in found)
    progress.advance(_TASK, len(found))


def _known(files: list[tuple[File, str]], store: Store) -> dict[File, Found]:
    digests = store.seen(file for file, _ in files)
    formats = {of for _, of in files}
    prints = {
        of: store.prints(of, {digests[f] for f, other in files if f in digests and other == of}) for of in formats
    }
    return {
        file: Found(file, of, prints[of][digests[file]], digests[file])
        for file, of in files
        if file in digests and digests[file] in prints[of]
    }


def _text_bytes(file: File) -> int:
    return file.bytes * (_PACKED if file.name.lower().endswith(SUFFIXES) else 1)


def _batches(files: list[tuple[File, str]]) -> Iterator[list[tuple[File, str]]]:
    batch: list[tuple[File, str]] = []
    held = 0
    for item in files:
        if batch and (held + _text_bytes(item[0]) > _BATCH_BYTES or len(batch) == _BATCH_FILES):
            yield batch
            batch, held = [], 0
        batch.append(item)
        held += _text_bytes(item[0])
    if batch:
        yield batch
