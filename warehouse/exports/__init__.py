"""Exports: published rows in the very shape that each trainer reads, and the proof that it will read them all.

One internal row (`row.py`), one small module per target (`targets/`), one writer per file format (`files.py`).
"""

from warehouse.exports.check import check
from warehouse.exports.export import export
from warehouse.exports.readiness import readiness
from warehouse.exports.registry import target, targets

__all__ = ["check", "export", "readiness", "target", "targets"]
