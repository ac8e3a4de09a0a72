"""Contracts as Iceberg schemas."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.types import ListType, StringType, StructType

from schemas.contracts import Column, Contract
from schemas.derive.iceberg import evolved_schema, iceberg_schema, pinned_arrow, same_columns
from schemas.registry import contracts


def _contract(*columns: Column) -> Contract:
    return Contract("made_up", "1.0.0", "For one test.", (Column("id", pa.string(), "The key."), *columns), ("id",))


@pytest.mark.parametrize("of", contracts().values(), ids=lambda of: of.name)
def test_every_contract_has_a_schema_with_docs_key_and_nullability(of: Contract) -> None:
    """Names, docs, key and nullability of every contract of the house arrive in Iceberg."""
    schema = iceberg_schema(of)
    expected = [(column.name, column.doc, not column.nullable) for column in of.columns]
    assert expected == [(field.name, field.doc, field.required) for field in schema.fields]
    assert set(of.key) == schema.identifier_field_names()


@pytest.mark.parametrize("of", contracts().values(), ids=lambda of: of.name)
def test_pinned_schema_keeps_the_contract_types(of: Contract) -> None:
    """What is written to Parquet has the contract's own types, down to nested ones, and a field id each."""
    pinned = pinned_arrow(of, iceberg_schema(of))
    assert [field.type for field in of.arrow] == [field.type for field in pinned]
    assert all(b"PARQUET:field_id" in field.metadata for field in pinned)


def test_field_ids_are_unique_down_to_nested_fields() -> None:
    """Structs in lists get ids of their own."""
    schema = iceberg_schema(_contract(Column("pairs", pa.list_(pa.struct([("a", pa.string())])), "Pairs.")))
    ids = [field.field_id for field in schema.fields]
    pairs = schema.find_field("pairs").field_type
    assert isinstance(pairs, ListType)
    assert isinstance(pairs.element_type, StructType)
    nested = [pairs.element_id, pairs.element_type.fields[0].field_id]
    assert len(ids + nested) == len({*ids, *nested})
    assert pairs.element_type.fields[0].field_type == StringType()


def test_evolution_keeps_ids_of_what_stays_and_never_reuses_one() -> None:
    """A retyped column is a new column; an untouched one keeps its id wherever it moves."""
    old = iceberg_schema(_contract(Column("n", pa.int32(), "A count."), Column("text", pa.string(), "Words.")))
    wider = _contract(Column("text", pa.string(), "Other words."), Column("n", pa.int64(), "A count."))
    new = evolved_schema(wider, old, last_id=old.highest_field_id)
    assert old.find_field("text").field_id == new.find_field("text").field_id
    assert old.highest_field_id + 1 == new.find_field("n").field_id
    assert old.schema_id + 1 == new.schema_id


def test_same_columns_looks_at_everything_but_ids() -> None:
    """Ids may differ; a doc line may not."""
    one = iceberg_schema(_contract(Column("text", pa.string(), "Words.")))
    renumbered = assign_fresh_schema_ids(Schema(*one.fields, identifier_field_ids=one.identifier_field_ids))
    redocumented = iceberg_schema(_contract(Column("text", pa.string(), "Other words.")))
    assert same_columns(one, renumbered)
    assert not same_columns(one, redocumented)


def test_a_type_that_is_not_canonical_is_refused_by_name() -> None:
    """The error names column, type and what is allowed."""
    odd = _contract(Column("text", pa.list_(pa.dictionary(pa.int8(), pa.string())), "Words."))
    with pytest.raises(ValueError, match=r"made_up\.text has type dictionary.*allowed are string"):
        iceberg_schema(odd)
