"""Policies compiled for where raw values are: all targets give the same buckets, bit for bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources

from privacy.minimize.compile import sql_target
from privacy.minimize.policy import Policy
from schemas.errors import UsageError, did_you_mean

__all__ = ["TARGETS", "compile_policy"]

_DEFAULT_TABLE = "clients"
_EMPTY = 'SPEC = ""'


def compile_policy(policy: Policy, target: str, *, table: str = _DEFAULT_TABLE) -> str:
    """Return a policy as the text of one self-contained file.

    Parameters
    ----------
    target
        ``python`` (standard library only, for a client's device), ``polars`` and ``spark`` (a module with
        ``minimize(frame)``), ``duckdb`` and ``sql`` (one query over ``table``).
    table
        Name of the raw table in SQL.

    Raises
    ------
    UsageError
        If there is no such target, or it cannot write a category of the policy.

    Examples
    --------
    >>> from datetime import date
    >>> from privacy.minimize.policy import Fitted
    >>> from privacy.minimize.rules import Interval
    >>> rule = Interval(type="int", borders=["27.5"])
    >>> policy = Policy(id="ages", created=date(2026, 1, 1), purpose="demo", columns={"age": rule},
    ...                 fit=Fitted(method="by_hand", sample_rows=0))
    >>> print(compile_policy(policy, "sql").split("SELECT")[1])
    <BLANKLINE>
      CASE WHEN "age" IS NULL THEN '__null__' WHEN "age" <= 27 THEN 'b0' ELSE 'b1' END AS "age"
    FROM "clients"
    <BLANKLINE>
    """
    if target not in TARGETS:
        raise UsageError(
            f"policies are not compiled to {target!r}; allowed are {', '.join(TARGETS)}.",
            hint=did_you_mean(target, TARGETS),
        )
    return TARGETS[target](policy, table)


def _module(name: str) -> Callable[[Policy, str], str]:
    """Return what compiles to the module ``name``, which is shipped as it stands with the policy written into it."""

    def compiled(policy: Policy, _: str) -> str:
        source = resources.files(__package__).joinpath(f"{name}.py").read_text(encoding="utf-8")
        head = f"# policy {policy.id}, version {policy.version}, sha256 {policy.digest}\n"
        filled = source.replace(_EMPTY, f"SPEC = {json.dumps(policy.spec)!a}", 1)
        return head + filled.replace('SHA256 = ""', f'SHA256 = "{policy.digest}"', 1)

    return compiled


TARGETS: dict[str, Callable[[Policy, str], str]] = {
    "python": _module("python_target"),
    "polars": _module("polars_target"),
    "spark": _module("spark_target"),
    "duckdb": lambda policy, table: sql_target.query(policy, table, sql_target.DUCKDB),
    "sql": lambda policy, table: sql_target.query(policy, table, sql_target.ANSI),
}
