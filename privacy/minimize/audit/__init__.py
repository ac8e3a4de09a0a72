"""What an attacker learns from a release: measured, put into tables, and told in a report."""

from privacy.minimize.audit.result import AuditResult
from privacy.minimize.audit.run import audit, multi_breach
from privacy.minimize.audit.settings import Audit

__all__ = ["Audit", "AuditResult", "audit", "multi_breach"]
