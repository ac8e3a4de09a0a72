"""The report of an audit, fit for a data protection impact assessment: HTML, Markdown and JSON of the same figures."""

from privacy.minimize.audit.report.pages import html, markdown, write

__all__ = ["html", "markdown", "write"]
