"""A contract as checks: each one a Great Expectations expectation over rows, and the same condition in SQL.

Small tables are audited row by row, large ones through one row of counts; both ways must agree, so each check is
stated once, over the same measured columns (`measures`), and its two forms stand side by side.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from schemas.contracts import AtMost, Between, Contract, InSet, JsonText, Matches, NotBlank, Rule
from schemas.derive.duckdb import identifier, literal

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

__all__ = ["Check", "checks", "count_expectation", "is_json", "measures", "row_expectation"]

_BLANK = "".join(character for character in map(chr, range(0x3001)) if character.isspace())


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODE = json.JSONDecoder(parse_constant=_refuse).decode


@dataclass(frozen=True, slots=True)
class Check:
    """One condition on a table, in both of its forms.

    Parameters
    ----------
    name
        Unique within the contract, such as ``in_set(status)``.
    column
        The column it speaks of; several are joined by ``, ``.
    expected
        What must hold, in words.
    violation
        SQL condition, true for a row that breaks it; it reads the columns of `measures`.
    expectation, arguments
        Class of the expectation in ``great_expectations.expectations``, and its arguments.
    unique
        Columns that together must not repeat; empty for a condition on single rows.
    """

    name: str
    column: str
    expected: str
    violation: str
    expectation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    unique: tuple[str, ...] = ()


def is_json(text: str) -> bool:
    """Tell whether ``text`` is one JSON value as RFC 8259 has it (NaN and infinities are not JSON).

    Examples
    --------
    >>> is_json('{"a": [1, null]}'), is_json("NaN"), is_json("[1,]")
    (True, False, False)
    """
    try:
        _DECODE(text)
    except (ValueError, RecursionError):
        return False
    return True


def measures(contract: Contract) -> dict[str, str]:
    """Return what is read for the audit: SQL expressions by name.

    A list stands for its length. What pandas and DuckDB would read differently, JSON and regular expressions, is
    measured once, as a truth value. The expressions call `is_json`, which the connection must know.
    """
    taken = {
        column.name: f"len({identifier(column.name)})" if _is_list(column.type) else identifier(column.name)
        for column in contract.columns
    }
    return taken | {_truth(rule): _measured(rule) for rule in contract.rules if isinstance(rule, JsonText | Matches)}


def checks(contract: Contract) -> tuple[Check, ...]:
    """Return every check that follows from a contract: nulls, key and rules, in the contract's order."""
    found = (*_nulls(contract), _key(contract), *(_rule(rule, contract) for rule in contract.rules))
    seen = Counter[str]()
    return tuple(_numbered(check, seen) for check in found)


def row_expectation(check: Check) -> Expectation:
    """Return the check as an expectation over rows of `measures`."""
    return getattr(_classes(), check.expectation)(**check.arguments, meta={"check": check.name})


def count_expectation(check: Check) -> Expectation:
    """Return the check as an expectation over one row of counts: the column of its name holds 0."""
    return _classes().ExpectColumnValuesToBeBetween(
        column=check.name,
        min_value=0,
        max_value=0,
        meta={"check": check.name},
    )


def _classes() -> ModuleType:
    """Return the module of expectation classes; its import takes seconds and warns about what is not used here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations.expectations as found
    return found


def _numbered(check: Check, seen: Counter[str]) -> Check:
    seen[check.name] += 1
    return check if seen[check.name] == 1 else replace(check, name=f"{check.name} #{seen[check.name]}")


def _nulls(contract: Contract) -> Iterator[Check]:
    for column in contract.columns:
        if not column.nullable or column.name in contract.key:
            yield Check(
                name=f"not_null({column.name})",
                column=column.name,
                expected="never null",
                violation=f"{identifier(column.name)} IS NULL",
                expectation="ExpectColumnValuesToNotBeNull",
                arguments={"column": column.name},
            )


def _key(contract: Contract) -> Check:
    columns = ", ".join(map(identifier, contract.key))
    single = len(contract.key) == 1
    missing = " AND ".join(f"{identifier(name)} IS NULL" for name in contract.key)
    return Check(
        name=f"unique({', '.join(contract.key)})",
        column=", ".join(contract.key),
        expected="no two rows alike",
        violation=f"NOT ({missing}) AND count(*) OVER (PARTITION BY {columns}) > 1",
        expectation="ExpectColumnValuesToBeUnique" if single else "ExpectCompoundColumnsToBeUnique",
        arguments={"column": contract.key[0]} if single else {"column_list": list(contract.key)},
        unique=contract.key,
    )


@singledispatch
def _rule(rule: Rule, contract: Contract) -> Check:
    raise TypeError(f"contract {contract.name!r} has a rule that no check is known for: {rule!r}")


@_rule.register
def _(rule: InSet, contract: Contract) -> Check:  # noqa: ARG001 - the rules' common signature
    values = ", ".join(literal(str(value)) for value in rule.values)
    return Check(
        name=f"in_set({rule.column})",
        column=rule.column,
        expected=f"one of {', '.join(map(str, rule.values))}",
        violation=f"{identifier(rule.column)} NOT IN ({values})",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": rule.column, "value_set": [str(value) for value in rule.values]},
    )


@_rule.register
def _(rule: Between, contract: Contract) -> Check:
    return _between(f"between({rule.column})", rule, "", contract)


@_rule.register
def _(rule: Matches, contract: Contract) -> Check:  # noqa: ARG001 - the rules' common signature
    return _true(f"matches({rule.column})", rule, f"matches {rule.pattern}")


@_rule.register
def _(rule: NotBlank, contract: Contract) -> Check:
    name = f"not_blank({rule.column})"
    if _is_list(contract.column(rule.column).type):
        return _between(name, Between(rule.column, 1), "number of elements ", contract)
    return Check(
        name=name,
        column=rule.column,
        expected="more than white space",
        violation=f"NOT regexp_matches({identifier(rule.column)}, {literal(f'[^{_BLANK}]')})",
        expectation="ExpectColumnValuesToMatchRegex",
        arguments={"column": rule.column, "regex": f"[^{_BLANK}]"},
    )


@_rule.register
def _(rule: JsonText, contract: Contract) -> Check:  # noqa: ARG001 - the rules' common signature
    return _true(f"json_text({rule.column})", rule, "parses as JSON")


@_rule.register
def _(rule: AtMost, contract: Contract) -> Check:
    sides = [f"{identifier(rule.column)} > {identifier(rule.other)}"]
    sides += _not_a_number(contract, rule.column, rule.other)
    return Check(
        name=f"at_most({rule.column}, {rule.other})",
        column=rule.column,
        expected=f"at most {rule.other}",
        violation=f"{_both_present(rule)} AND ({' OR '.join(sides)})",
        expectation="ExpectColumnPairValuesAToBeGreaterThanB",
        arguments={
            "column_A": rule.other,
            "column_B": rule.column,
            "or_equal": True,
            "ignore_row_if": "either_value_is_missing",
        },
    )


def _between(name: str, rule: Between, what: str, contract: Contract) -> Check:
    column = identifier(rule.column)
    sides = [f"{column} < {rule.low}"] if rule.low is not None else []
    sides += [f"{column} > {rule.high}"] if rule.high is not None else []
    sides += _not_a_number(contract, rule.column)
    bounds = [f"at least {rule.low:g}"] if rule.low is not None else []
    bounds += [f"at most {rule.high:g}"] if rule.high is not None else []
    return Check(
        name=name,
        column=rule.column,
        expected=f"{what}{' and '.join(bounds)}",
        violation=" OR ".join(sides),
        expectation="ExpectColumnValuesToBeBetween",
        arguments={"column": rule.column, "min_value": rule.low, "max_value": rule.high},
    )


def _not_a_number(contract: Contract, *columns: str) -> list[str]:
    """Return the conditions that say NaN: DuckDB sorts it above every number, here it keeps no bound."""
    return [f"isnan({identifier(name)})" for name in columns if pa.types.is_floating(contract.column(name).type)]


def _both_present(rule: AtMost) -> str:
    return f"{identifier(rule.column)} IS NOT NULL AND {identifier(rule.other)} IS NOT NULL"


def _true(name: str, rule: JsonText | Matches, expected: str) -> Check:
    return Check(
        name=name,
        column=rule.column,
        expected=expected,
        violation=f"NOT {identifier(_truth(rule))}",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": _truth(rule), "value_set": [True]},
    )


def _truth(rule: JsonText | Matches) -> str:
    return f"json:{rule.column}" if isinstance(rule, JsonText) else f"{rule.column} ~ {rule.pattern}"


def _measured(rule: JsonText | Matches) -> str:
    if isinstance(rule, JsonText):
        return f"is_json({identifier(rule.column)})"
    return f"regexp_full_match({identifier(rule.column)}, {literal(rule.pattern)})"


def _is_list(of: pa.DataType) -> bool:
    return pa.types.is_list(of) or pa.types.is_large_list(of)
