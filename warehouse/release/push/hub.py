"""A dataset repository of the Hugging Face Hub: one commit and one tag per version.

Large files go to the Hub's storage first, where a push that was killed finds them again by their digest; the commit
that names them is what readers see.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import MissingExtra, UsageError, WarehouseError
from warehouse.release.push.place import Item, Sent, Shipment

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.hf_api import RepoFile

__all__ = ["SCHEME", "Hub"]

SCHEME = "hf://datasets/"
_KIND = "dataset"
_HUBS_OWN = frozenset({".gitattributes"})


class Hub:
    """``hf://datasets/OWNER/NAME``; the token is the one that `huggingface_hub` finds (HF_TOKEN, or a login).

    Parameters
    ----------
    private
        Whether the repository is private where it must be made.

    Raises
    ------
    MissingExtra
        If huggingface_hub is not installed.
    UsageError
        If the address names no repository.
    """

    def __init__(self, url: str, *, private: bool = True) -> None:
        try:
            from huggingface_hub import HfApi
        except ImportError:
            raise MissingExtra("huggingface_hub", "datasets") from None
        self.where = url
        self.repository = url.removeprefix(SCHEME).strip("/")
        if self.repository.count("/") != 1:
            raise UsageError(f"{url!r} names no repository.", hint=f"write {SCHEME}OWNER/NAME.")
        self._private = private
        self._api = HfApi()
        self._adds: list[CommitOperationAdd] = []

    def held(self, shipment: Shipment) -> set[str]:
        """Return what the version's commit, or the newest one, already holds, by digest."""
        tagged = self.visible(shipment)
        there = self._tree(tagged)
        held = {item.path for item in shipment.items if _same(there.get(item.path), item, shipment.folder)}
        if tagged and len(held) < len(shipment.items):
            raise WarehouseError(
                f"{self.where} has another release under the tag {shipment.version}; a released version never changes.",
                hint="publish a new version.",
            )
        return held

    def visible(self, shipment: Shipment) -> str | None:
        """Return the commit that the version's tag names, if there is one."""
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            refs = self._api.list_repo_refs(self.repository, repo_type=_KIND)
        except RepositoryNotFoundError:
            return None
        return next((tag.target_commit for tag in refs.tags if tag.name == shipment.version), None)

    def send(self, items: Sequence[Item], shipment: Shipment, sent: Sent) -> None:
        """Upload large files to the Hub's storage; no commit names them yet."""
        from huggingface_hub import CommitOperationAdd

        self._api.create_repo(self.repository, repo_type=_KIND, private=self._private, exist_ok=True)
        self._adds = [CommitOperationAdd(item.path, str(shipment.folder / item.path)) for item in items]
        for item, add in zip(items, self._adds, strict=True):
            self._api.preupload_lfs_files(self.repository, [add], repo_type=_KIND, free_memory=False)
            sent(item)

    def reveal(self, shipment: Shipment) -> str:
        """Commit everything at once, files of older versions taken out, and tag the commit with the version."""
        from huggingface_hub import CommitOperationAdd

        manifest = CommitOperationAdd(shipment.manifest.path, str(shipment.folder / shipment.manifest.path))
        made = self._api.create_commit(
            self.repository,
            [*self._adds, manifest, *self._removals(shipment)],
            commit_message=f"{shipment.name} {shipment.version}",
            repo_type=_KIND,
        )
        self._api.create_tag(self.repository, tag=shipment.version, revision=made.oid, repo_type=_KIND, exist_ok=True)
        return made.oid

    def faults(self, items: Iterable[Item], shipment: Shipment) -> list[str]:
        """Compare the digests that the Hub states of the tagged commit."""
        there = self._tree(shipment.version)
        return [item.path for item in items if not _same(there.get(item.path), item, shipment.folder)]

    def _removals(self, shipment: Shipment) -> list[CommitOperationDelete]:
        from huggingface_hub import CommitOperationDelete

        known = {item.path for item in shipment.items} | _HUBS_OWN
        return [CommitOperationDelete(path) for path in self._tree(None) if path not in known]

    def _tree(self, revision: str | None) -> dict[str, RepoFile]:
        from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
        from huggingface_hub.hf_api import RepoFile

        try:
            entries = list(
                self._api.list_repo_tree(self.repository, recursive=True, revision=revision, repo_type=_KIND)
            )
        except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError):
            return {}
        return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def _same(there: RepoFile | None, item: Item, folder: Path) -> bool:
    if there is None or there.size != item.bytes:
        return False
    if there.lfs is not None:
        return there.lfs.sha256 == item.sha256
    return there.blob_id == _git_blob(folder / item.path)


def _git_blob(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
