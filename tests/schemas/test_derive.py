"""What is derived from contracts is what the formats' own tools make of them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pyarrow as pa
import pytest

from schemas.contracts import Contract
from schemas.derive.features import features
from schemas.derive.odcs import odcs
from schemas.registry import contracts

_ODCS = Path(__file__).parent.parent / "data" / "odcs" / "odcs-json-schema-v3.1.0.json"
_ALL = sorted(contracts().values(), key=lambda of: of.name)


@pytest.mark.parametrize("of", _ALL, ids=lambda of: of.name)
def test_features_are_those_of_datasets(of: Contract):
    """The card's features equal what `datasets` derives from the same Arrow schema."""
    datasets = pytest.importorskip("datasets")
    expected = datasets.Features.from_arrow_schema(of.arrow)._to_yaml_list()
    assert expected == features(of)


@pytest.mark.parametrize("of", _ALL, ids=lambda of: of.name)
def test_odcs_is_valid(of: Contract):
    """The ODCS file follows the standard's JSON Schema, and names every column and key."""
    made = odcs(of, dataset="demo", version="1.2.3", purpose="to test", location="data/*/*/*.parquet")
    jsonschema.Draft201909Validator(json.loads(_ODCS.read_text())).validate(made)
    properties = made["schema"][0]["properties"]
    assert of.names == [column["name"] for column in properties]
    assert list(of.key) == [column["name"] for column in properties if column.get("primaryKey")]


def test_the_odcs_schema_refuses_what_is_not_a_contract():
    """The validator used here does find faults."""
    validator = jsonschema.Draft201909Validator(json.loads(_ODCS.read_text()))
    broken = odcs(_ALL[0], dataset="demo", version="1.2.3", purpose="", location="x") | {"kind": "Something"}
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(broken)


def test_only_canonical_types_have_features():
    """A dictionary-encoded column is refused by name of its type."""
    with pytest.raises(ValueError, match="dictionary"):
        features(pa.schema([("id", pa.dictionary(pa.int32(), pa.string()))]))
