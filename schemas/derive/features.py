"""The `datasets` features of a contract, as the YAML of a dataset card spells them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from schemas.contracts import Contract

__all__ = ["features"]


def features(of: Contract | pa.Schema) -> list[dict[str, Any]]:
    """Return the ``dataset_info.features`` block of a dataset card.

    Raises
    ------
    ValueError
        If a column has a type that is not canonical (dictionary, union, ...).

    Examples
    --------
    >>> features(pa.schema([("id", pa.string()), ("tags", pa.list_(pa.string()))]))
    [{'name': 'id', 'dtype': 'string'}, {'name': 'tags', 'list': 'string'}]
    """
    schema = of.arrow if isinstance(of, Contract) else of
    return [_feature(field) for field in schema]


def _feature(field: pa.Field) -> dict[str, Any]:
    spelled = _spell(field.type)
    if isinstance(spelled, str):
        return {"name": field.name, "dtype": spelled}
    if isinstance(spelled, list):
        return {"name": field.name, "struct": spelled}
    return {"name": field.name, **spelled}


def _spell(of: pa.DataType) -> str | list[dict[str, Any]] | dict[str, Any]:
    """Spell a type: a name for a value, a list of fields for a struct, ``{"list": ...}`` for a list."""
    if pa.types.is_list(of):
        return {"list": _spell(of.value_type)}
    if pa.types.is_struct(of):
        return [_feature(field) for field in of]
    if pa.types.is_timestamp(of):
        return f"timestamp[{of.unit}{f', tz={of.tz}' if of.tz else ''}]"
    names = {pa.float64(): "float64", pa.float32(): "float32", pa.date32(): "date32", pa.bool_(): "bool"}
    if pa.types.is_nested(of) or pa.types.is_dictionary(of):
        raise ValueError(f"a contract holds canonical types only, not {of}.")
    return names.get(of, str(of))
