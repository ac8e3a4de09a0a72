"""Contracts as Apache Iceberg schemas: column docs, the key as identifier fields, field ids that survive change.

Type names and field ids follow the Iceberg table specification, version 2 (https://iceberg.apache.org/spec/).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pyarrow as pa
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

from schemas.contracts import Contract

__all__ = ["evolved_schema", "iceberg_schema", "pinned_arrow", "same_columns", "same_type"]

_PRIMITIVES: dict[pa.DataType, IcebergType] = {
    pa.string(): StringType(),
    pa.binary(): BinaryType(),
    pa.bool_(): BooleanType(),
    pa.int32(): IntegerType(),
    pa.int64(): LongType(),
    pa.float32(): FloatType(),
    pa.float64(): DoubleType(),
    pa.date32(): DateType(),
    pa.timestamp("us", tz="UTC"): TimestamptzType(),
}
_FIELD_ID = b"PARQUET:field_id"


def iceberg_schema(contract: Contract) -> Schema:
    """Return the Iceberg schema of a contract, with fresh field ids.

    Raises
    ------
    ValueError
        If a column's type is not canonical.

    Examples
    --------
    >>> from schemas.records import REJECTION
    >>> schema = iceberg_schema(REJECTION)
    >>> schema.find_field("line").doc
    '1-based line, or row number where the format has no lines.'
    >>> sorted(schema.identifier_field_names())
    ['file', 'line', 'source']
    """
    return evolved_schema(contract, Schema(), last_id=0)


def evolved_schema(contract: Contract, current: Schema, *, last_id: int) -> Schema:
    """Return a contract's schema as the successor of a table's ``current`` one.

    A column whose name and type stay keeps its field id; every other one gets an id never used before, so that
    older versions are still read as they were written.

    Parameters
    ----------
    last_id
        Highest field id that the table ever used.
    """
    counter = itertools.count(last_id + 1)
    old = {field.name: field for field in current.fields}
    fields = []
    for column in contract.columns:
        new_type = _iceberg_type(column.type, where=f"{contract.name}.{column.name}")
        known = old.get(column.name)
        if known is not None and same_type(known.field_type, new_type):
            field_id, new_type = known.field_id, known.field_type
        else:
            field_id = next(counter)
            new_type = assign_fresh_schema_ids(new_type, _supply(counter))
        required = not column.nullable
        fields.append(NestedField(field_id, column.name, new_type, required=required, doc=column.doc))
    ids = {field.name: field.field_id for field in fields}
    return Schema(*fields, schema_id=current.schema_id + 1, identifier_field_ids=[ids[name] for name in contract.key])


def same_type(one: IcebergType, other: IcebergType) -> bool:
    """Tell whether two types are equal but for their field ids."""
    return _without_ids(one) == _without_ids(other)


def same_columns(one: Schema, other: Schema) -> bool:
    """Tell whether two schemas agree in names, types, nullability, docs and key, whatever their field ids."""
    return one.identifier_field_names() == other.identifier_field_names() and _without_ids(
        one.as_struct(),
    ) == _without_ids(other.as_struct())


def pinned_arrow(contract: Contract, schema: Schema) -> pa.Schema:
    """Return the Arrow schema in which a contract's rows are written to a table: its types, with field ids."""
    ids = {field.name: field for field in schema.fields}
    return pa.schema([_with_ids(field, ids[field.name]) for field in contract.arrow])


def _iceberg_type(of: pa.DataType, *, where: str) -> IcebergType:
    if of in _PRIMITIVES:
        return _PRIMITIVES[of]
    if pa.types.is_list(of):
        element = _iceberg_type(of.value_type, where=where)
        return ListType(0, element, element_required=not of.value_field.nullable)
    if pa.types.is_struct(of):
        return StructType(
            *(NestedField(0, f.name, _iceberg_type(f.type, where=where), required=not f.nullable) for f in of),
        )
    allowed = ", ".join([*map(str, _PRIMITIVES), "list", "struct"])
    raise ValueError(f"{where} has type {of}, which is not canonical; allowed are {allowed}")


def _supply(counter: itertools.count[int]) -> Callable[[], int]:
    return lambda: next(counter)


def _without_ids(of: IcebergType) -> IcebergType:
    return assign_fresh_schema_ids(of, lambda: 0)


def _with_ids(field: pa.Field, known: NestedField) -> pa.Field:
    metadata = {**(field.metadata or {}), _FIELD_ID: str(known.field_id).encode()}
    return pa.field(field.name, _nested(field.type, known.field_type), field.nullable, metadata)


def _nested(of: pa.DataType, known: IcebergType) -> pa.DataType:
    if isinstance(known, ListType):
        return pa.list_(_with_ids(of.value_field.with_name("element"), known.element_field))
    if isinstance(known, StructType):
        return pa.struct([_with_ids(of.field(inner.name), inner) for inner in known.fields])
    return of
