"""The report of a build: one HTML file that tells what went in, what came out and why, and needs no network."""

from warehouse.report.charts import Bar
from warehouse.report.html import render, report_path, write
from warehouse.report.summarise import summarise
from warehouse.report.summary import BuildSummary, Example, Hit, Phase, StageSummary, Suspect, VersionLink

__all__ = [
    "Bar",
    "BuildSummary",
    "Example",
    "Hit",
    "Phase",
    "StageSummary",
    "Suspect",
    "VersionLink",
    "render",
    "report_path",
    "summarise",
    "write",
]
