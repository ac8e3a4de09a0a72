"""The data contract of a table in the Open Data Contract Standard, version 3.1.

Source: Open Data Contract Standard v3.1.0, Bitol (LF AI & Data), https://bitol-io.github.io/open-data-contract-standard.
"""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa

from schemas.contracts import AtMost, Between, Contract, InSet, JsonText, Matches, NotBlank, Rule
from schemas.ids import digest

__all__ = ["odcs"]

_API = "v3.1.0"


def odcs(of: Contract, *, dataset: str, version: str, purpose: str, location: str) -> dict[str, Any]:
    """Return the contract of one published version as an ODCS document.

    Parameters
    ----------
    dataset, version
        Name and version of what is published.
    purpose
        What the dataset is for, in a sentence.
    location
        Where its Parquet files lie, relative to the document: a folder or a glob.
    """
    return {
        "apiVersion": _API,
        "kind": "DataContract",
        "id": digest([dataset, of.name]),
        "name": dataset,
        "version": version,
        "status": "active",
        "description": {"purpose": purpose},
        "servers": [{"server": "release", "type": "local", "path": location, "format": "parquet"}],
        "schema": [
            {
                "name": of.name,
                "physicalName": dataset,
                "physicalType": "table",
                "logicalType": "object",
                "description": of.doc,
                "properties": [_property(of, column.name) for column in of.columns],
                "quality": [_row_check(rule) for rule in of.rules if isinstance(rule, AtMost)],
                "customProperties": [
                    {"property": "contractVersion", "value": of.version},
                    {"property": "schemaDigest", "value": of.schema_digest},
                ],
            },
        ],
    }


def _property(of: Contract, name: str) -> dict[str, Any]:
    column = of.column(name)
    spelled: dict[str, Any] = {"name": name, "description": column.doc, "required": not column.nullable}
    spelled |= _typed(column.type)
    if name in of.key:
        spelled |= {"primaryKey": True, "primaryKeyPosition": of.key.index(name) + 1, "unique": len(of.key) == 1}
    rules = [rule for rule in of.rules if rule.column == name and not isinstance(rule, AtMost)]
    options = {key: value for rule in rules for key, value in _options(rule, spelled["logicalType"]).items()}
    if options:
        spelled["logicalTypeOptions"] = options
    if checks := [_check(rule) for rule in rules if isinstance(rule, InSet | JsonText)]:
        spelled["quality"] = checks
    return spelled


def _typed(of: pa.DataType) -> dict[str, Any]:
    logical = {"logicalType": _logical(of), "physicalType": str(of)}
    if pa.types.is_list(of):
        logical["items"] = _typed(of.value_type)
        logical["physicalType"] = "list"
    elif pa.types.is_struct(of):
        logical["properties"] = [{"name": field.name, **_typed(field.type)} for field in of]
        logical["physicalType"] = "struct"
    return logical


def _logical(of: pa.DataType) -> str:
    kinds = (
        (pa.types.is_list, "array"),
        (pa.types.is_struct, "object"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_integer, "integer"),
        (pa.types.is_floating, "number"),
        (pa.types.is_date, "date"),
        (pa.types.is_timestamp, "timestamp"),
    )
    return next((name for holds, name in kinds if holds(of)), "string")


def _options(rule: Rule, logical: str) -> dict[str, Any]:
    """Return what ODCS can say of a rule beside the type."""
    if isinstance(rule, Between):
        bounds = {"minimum": rule.low, "maximum": rule.high}
        return {key: value for key, value in bounds.items() if value is not None}
    if isinstance(rule, Matches):
        return {"pattern": rule.pattern}
    if isinstance(rule, NotBlank):
        return {"minItems": 1} if logical == "array" else {"minLength": 1}
    return {}


def _check(rule: InSet | JsonText) -> dict[str, Any]:
    if isinstance(rule, InSet):
        return {
            "type": "library",
            "metric": "invalidValues",
            "arguments": {"validValues": list(rule.values)},
            "mustBe": 0,
            "description": f"{rule.column} holds known values only.",
        }
    return {"type": "text", "description": f"{rule.column} parses as JSON."}


def _row_check(rule: AtMost) -> dict[str, Any]:
    too_high = f"{_quoted(rule.column)} > {_quoted(rule.other)}"
    return {
        "type": "sql",
        "description": f"{rule.column} is at most {rule.other}.",
        "query": "SELECT count(*) FROM {object} WHERE " + too_high,  # noqa: S608 - names are the contract's
        "mustBe": 0,
    }


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else f'"{name}"'
