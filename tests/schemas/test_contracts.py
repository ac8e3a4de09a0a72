"""Contracts and their registry."""

from __future__ import annotations

import pyarrow as pa
import pytest

from schemas.contracts import AtMost, Column, Contract
from schemas.errors import UsageError
from schemas.registry import contract, contracts

_CANONICAL = (pa.types.is_string, pa.types.is_integer, pa.types.is_float64, pa.types.is_boolean, pa.types.is_date32)


def _canonical(of: pa.DataType) -> bool:
    if pa.types.is_list(of):
        return _canonical(of.value_type)
    if pa.types.is_struct(of):
        return all(_canonical(field.type) for field in of)
    return any(is_(of) for is_ in _CANONICAL) or of == pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize("name", sorted(contracts()))
def test_contracts_use_canonical_types_and_document_every_column(name: str) -> None:
    """Only types that every engine holds the same way, and a line of documentation each."""
    one = contract(name)

    assert [] == [column.name for column in one.columns if not _canonical(column.type)]
    assert [] == [column.name for column in one.columns if not column.doc.endswith(".")]
    assert all(not one.column(key).nullable for key in one.key)


def test_a_contract_that_speaks_of_an_unknown_column_is_refused() -> None:
    """A rule on a column that is not there is a mistake found when the contract is written."""
    with pytest.raises(ValueError, match=r"\['m'\]"):
        Contract("x", "1", "x", (Column("n", pa.int64(), "N."),), ("n",), (AtMost("n", "m"),))


def test_an_unknown_contract_suggests_the_nearest() -> None:
    """A misspelt name is answered with the one that was meant."""
    with pytest.raises(UsageError, match="did you mean 'problem'"):
        contract("problm")


def test_schema_digest_follows_the_columns() -> None:
    """Contracts with other columns have other digests; documentation does not count."""
    problem = contract("problem")
    redocumented = problem.with_columns("problem", "Other words.", ())
    wider = problem.with_columns("wider", "Wider.", (Column("extra", pa.string(), "More."),))

    assert problem.schema_digest == redocumented.schema_digest
    assert problem.schema_digest != wider.schema_digest
