"""Publishing client records: minimized on the way in, audited against their policy, versioned like any dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from privacy.minimize.apply import applicable
from privacy.minimize.gate import auditor, contract_of, smallest_group
from privacy.minimize.policy import Policy
from privacy.minimize.stage import Minimizing, stage_of
from schemas.errors import GateFailed, SluiceError, UsageError
from schemas.ids import canonical_json, digest
from warehouse.fingerprint import input_sha256
from warehouse.house import Warehouse
from warehouse.invariants import Build as AuditedBuild
from warehouse.publish import Published
from warehouse.runner import run_stage
from warehouse.stages import Services, StageRun

__all__ = ["Ingestion", "known_policies", "register_policies"]

_POLICIES = "policies"


@dataclass(frozen=True)
class Ingestion:
    """Raw records about to be minimized and published; holds references only.

    Parameters
    ----------
    name
        Dataset to publish to.
    source
        File of raw records.
    smallest
        Fewest records that may be alike in what is stored of them.
    """

    policy: Policy
    source: Path
    root: Path
    name: str
    smallest: int = 1
    digest: str = ""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def of(cls, policy: Path, source: Path, root: Path, name: str, smallest: int = 1) -> Ingestion:
        """Read a policy and digest the raw file; nothing runs yet.

        Raises
        ------
        RecipeError, PolicyChanged
            If the policy is not valid.
        InputError
            If the policy or the file cannot be read.
        UsageError
            If the policy has expired.
        """
        return cls(applicable(policy), source, root, name, smallest, input_sha256(source)[:32])

    @property
    def run_id(self) -> str:
        """The same for the same policy, file and code."""
        return "run_" + digest([self.policy.digest, self.digest, self.name, version("sluice")])[:16]

    def earlier(self, warehouse: Warehouse) -> Policy | None:
        """Return the policy of the dataset's latest version, or None if there is none or it is this one.

        Raises
        ------
        UsageError
            If the dataset holds something else than minimized records.
        """
        if self.name not in warehouse.datasets():
            return None
        latest = warehouse.version(self.name)
        known = {contract_of(policy).name: policy for policy in known_policies(self.root)}
        if latest.contract not in known:
            raise UsageError(
                f"dataset {self.name!r} holds rows of contract {latest.contract!r}, which are not minimized records.",
                hint="publish to a dataset of another name.",
            )
        before = known[latest.contract]
        return None if before.digest == self.policy.digest else before

    def minimize(self, services: Services) -> StageRun:
        """Apply the policy, or return the finished work."""
        place = services.workspace.root / _POLICIES / f"{self.policy.digest}.yaml"
        if not place.exists():
            self.policy.save(place)
        config = Minimizing(
            policy_sha256=self.policy.digest,
            file=self.source.name,
            digest=self.digest,
            policy=self.policy,
            location=self.source.absolute(),
        )
        return run_stage(stage_of(self.policy), {}, config, services)

    def publish(self, warehouse: Warehouse, run: StageRun) -> Published:
        """Audit the minimized records and let readers see them as the dataset's next version.

        Raises
        ------
        GateFailed
            If a value is outside the policy's buckets, a column is not the policy's, or a group is too small.
        GateBroken, PublishConflict, WarehouseError
            As `Warehouse.publish`.
        """
        of = contract_of(self.policy)
        context = AuditedBuild(warehouse.workspace, [run], run.rows.content_hash)
        audited = auditor(self.policy, smallest=self.smallest, context=context)
        warehouse.upsert_run(self._run(run, "running"))
        try:
            published = warehouse.publish(self.name, of.name, run.rows, run_id=self.run_id, audit=audited)
        except SluiceError as error:
            status = "rejected" if isinstance(error, GateFailed) else "failed"
            warehouse.upsert_run(self._run(run, status, finished=True))
            raise
        status = "unchanged" if published.unchanged else "published"
        warehouse.upsert_run(self._run(run, status, finished=True, dataset_version=published.version.version))
        return published

    def summary(self, warehouse: Warehouse, published: Published) -> dict[str, Any]:
        """Return what came of it as a JSON object."""
        files = warehouse.files(self.name, published.version.version)
        size, groups = smallest_group(self.policy, files) if files else (0, 0)
        return {
            "dataset": self.name,
            "version": published.version.version,
            "rows": published.version.rows,
            "unchanged": published.unchanged,
            "policy": f"{self.policy.id}, version {self.policy.version}",
            "policy_sha256": self.policy.digest,
            "columns": [*self.policy.stored, *self.policy.passthrough],
            "smallest_group": size,
            "groups_of_that_size": groups,
            "audit": published.audit.summary if published.audit else None,
            "run_id": self.run_id,
        }

    def _run(self, run: StageRun, status: str, *, finished: bool = False, **more: Any) -> Mapping[str, Any]:
        asked = {"policy": self.policy.spec, "sha256": self.policy.digest, "smallest": self.smallest}
        return {
            "run_id": self.run_id,
            "dataset": self.name,
            "dataset_version": None,
            "status": status,
            "recipe": canonical_json(asked),
            "recipe_hash": digest(asked),
            "code_version": version("sluice"),
            "inputs": canonical_json([{"source": self.name, "file": self.source.name, "digest": self.digest}]),
            "counts": canonical_json([{"stage": run.name, **run.counts}]),
            "cost": canonical_json({run.name: {"seconds": run.seconds}}),
            "content_hash": run.rows.content_hash,
            "started_at": self.started_at,
            "finished_at": datetime.now(UTC) if finished else None,
            **more,
        }


def known_policies(root: Path) -> list[Policy]:
    """Return the policies under which records of a warehouse were minimized."""
    return [Policy.load(path) for path in sorted((root / _POLICIES).glob("*.yaml"))]


def register_policies(root: Path) -> None:
    """Make the contracts of a warehouse's minimized datasets known in this process."""
    for policy in known_policies(root):
        contract_of(policy)
