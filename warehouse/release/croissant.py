"""Croissant 1.1 metadata of a release.

Source: Croissant format specification 1.1, MLCommons, https://docs.mlcommons.org/croissant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from schemas.contracts import Contract
from warehouse.release.info import ReleaseInfo
from warehouse.release.licences import LicenceRollUp
from warehouse.release.order import Part
from warehouse.release.shards import Shard

__all__ = ["croissant"]

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The standard's own context."""


def croissant(
    of: Contract,
    shards: Mapping[Part, Sequence[Shard]],
    licences: LicenceRollUp,
    info: ReleaseInfo,
) -> dict[str, Any]:
    """Return the Croissant document: every shard with its digest, one record set per part."""
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": info.dataset,
        "description": info.publish.description or of.doc,
        "version": info.version,
        "datePublished": info.date,
        "license": [_licence(name) for name in licences.rows or [licences.expression]],
        "citeAs": f"{info.dataset} {info.version}",
        "distribution": [entry for part, files in shards.items() for entry in _distribution(part, files)],
        "recordSet": [_record_set(of, part) for part in shards],
    }


def _licence(spdx: str) -> str:
    return spdx if spdx.startswith("LicenseRef-") else f"https://spdx.org/licenses/{spdx}"


def _distribution(part: Part, shards: Sequence[Shard]) -> list[dict[str, Any]]:
    files = [
        {
            "@type": "cr:FileObject",
            "@id": shard.path,
            "name": shard.path,
            "contentUrl": shard.path,
            "contentSize": f"{shard.bytes} B",
            "encodingFormat": "application/x-parquet",
            "sha256": shard.sha256,
        }
        for shard in shards
    ]
    together = {
        "@type": "cr:FileSet",
        "@id": f"{part.name}-files",
        "name": f"{part.name}-files",
        "encodingFormat": "application/x-parquet",
        "includes": f"data/{part.config}/{part.split}/*.parquet",
    }
    return [*files, together]


def _record_set(of: Contract, part: Part) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": part.name,
        "name": part.name,
        "description": f"{part.rows} rows: {of.doc}",
        "key": [{"@id": f"{part.name}/{name}"} for name in of.key],
        "field": [_field(of, part, name) for name in of.names],
    }


def _field(of: Contract, part: Part, name: str) -> dict[str, Any]:
    column = of.column(name)
    files = {"fileSet": {"@id": f"{part.name}-files"}, "extract": {"column": name}}
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{part.name}/{name}",
        "name": name,
        "description": column.doc,
    }
    inner = column.type
    if pa.types.is_list(inner):
        field |= {"isArray": True, "arrayShape": "-1"}
        inner = inner.value_type
    if pa.types.is_struct(inner):
        return field | {"subField": [_sub_field(field["@id"], member, files) for member in inner]}
    return field | {"dataType": _data_type(inner), "source": files}


def _sub_field(parent: str, member: pa.Field, files: dict[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{parent}/{member.name}",
        "name": member.name,
        "dataType": _data_type(member.type),
        "source": files | {"transform": {"jsonPath": member.name}},
    }


def _data_type(of: pa.DataType) -> str:
    kinds = (
        (pa.types.is_boolean, "sc:Boolean"),
        (pa.types.is_integer, "sc:Integer"),
        (pa.types.is_floating, "sc:Float"),
        (pa.types.is_date, "sc:Date"),
        (pa.types.is_timestamp, "sc:DateTime"),
    )
    return next((kind for holds, kind in kinds if holds(of)), "sc:Text")
