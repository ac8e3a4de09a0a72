"""Whole audits of policies: every attack there, equal for equal records, on paper and in tables."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from privacy.minimize.audit import Audit, AuditResult, audit, multi_breach
from privacy.minimize.audit.report import html, markdown, write
from privacy.minimize.audit.report.view import View
from privacy.minimize.cells import Node
from privacy.minimize.policy import Fitted, Policy
from privacy.minimize.rules import Categories, Drop, Interval
from schemas.audit_tables import ATTACKS
from schemas.errors import SchemaDrift, UsageError, WarehouseError
from schemas.registry import contract
from warehouse.gate import audit as gate

RULES = {
    "age": Interval(type="int", borders=["35"]),
    "job <b>": Categories(type="str", buckets={"g0": ["clerk", "nurse"], "g1": ["driver"]}),
    "sex": Drop(),
}


def policy(**changes: object) -> Policy:
    """A policy over age, job and sex, for the target y."""
    plain = {
        "id": "benefits",
        "created": date(2026, 1, 1),
        "purpose": "Decide on <script>alert(1)</script> benefits.",
        "targets": ("y",),
        "columns": RULES,
        "passthrough": {"y": "int"},
        "client": "who",
        "fit": Fitted(method="by_hand", sample_rows=10),
    }
    return Policy(**(plain | changes))


@pytest.fixture(scope="module")
def people() -> pl.DataFrame:
    """600 records of 300 clients; jobs follow from sex, y from age."""
    draw = np.random.default_rng(11)
    sex, age = draw.integers(0, 2, 600), draw.integers(18, 70, 600)
    jobs = np.where(sex, draw.choice(["clerk", "nurse"], 600), draw.choice(["driver", "clerk"], 600))
    return pl.DataFrame(
        {
            "age": age,
            "job <b>": jobs,
            "sex": np.where(sex, "F", "M"),
            "who": np.arange(600) // 2,
            "y": (age > 35).astype(int),
        }
    )


@pytest.fixture(scope="module")
def result(people: pl.DataFrame) -> AuditResult:
    """An audit with everything in it."""
    finer = policy(columns=RULES | {"age": Interval(type="int", borders=["25", "35", "50"])}, version=2)
    tried = {
        "leaves": [4, 8],
        "alpha": [0.5, 0.5],
        "release": ["attribute"] * 2,
        "error": [0.2, 0.1],
        "risk": [0.6, 0.7],
    }
    alternatives = pl.DataFrame(tried | {"buckets": [4, 8], "cells": [4, 9], "smallest_group": [9, 1]})
    return audit(people, policy(), Audit(queries=200), earlier=[finer], alternatives=alternatives)


def test_every_attack_is_there(result: AuditResult) -> None:
    """A1 to A8, each with both attackers, the stronger reported, inside its interval and above nothing."""
    there = set(result.attacks["attack"]) | ({"linkability"} if len(result.links) else set())
    assert set(ATTACKS) - {"singling_out"} <= there
    assert result.attacks.filter(pl.col("trained").is_null()).is_empty()
    better = result.attacks.filter(pl.col("accuracy") != pl.max_horizontal("table", "trained"))
    assert better.is_empty()
    outside = result.attacks.filter(
        (pl.col("accuracy") < pl.col("low") - 1e-9) | (pl.col("accuracy") > pl.col("high") + 1e-9)
    )
    assert outside.is_empty()


@pytest.mark.parametrize(
    ("hidden", "asked", "attacked"),
    [
        (None, None, {"job <b>", "sex"}),
        ((), None, {"job <b>", "sex"}),
        (("age",), None, {"age"}),
        (("age", "sex", "gone"), None, {"age", "sex"}),
        (("age",), ("sex",), {"sex"}),
    ],
)
def test_what_the_fit_was_to_hide_is_attacked(
    hidden: tuple[str, ...] | None, asked: tuple[str, ...] | None, attacked: set[str], people: pl.DataFrame
) -> None:
    """Unless a person names others; of a policy that does not say, all but numbers and dates."""
    learned = policy(fit=Fitted(method="pat", sample_rows=10, personal=hidden))
    found = audit(people, learned, Audit(trained=False, personal=asked))
    assert attacked == set(found.attacks["attribute"])


def test_groups_count_clients(result: AuditResult) -> None:
    """The smallest group is of clients, who bring two records each."""
    assert 600 == result.groups["records"]
    assert 300 <= result.groups["people"] < 600


def test_a_population_is_counted_in_clients_too(people: pl.DataFrame) -> None:
    """Twice as many clients halve the journalist's risk, and the marketer's, where they are like those audited."""
    settings = Audit(personal=("sex",), trained=False)
    everybody = pl.concat([people, people.with_columns(pl.col("who") + 1_000)])
    alone, among = (audit(people, policy(), settings, population=crowd).groups for crowd in (None, everybody))

    for risk in ("journalist_highest", "journalist_average", "marketer"):
        assert alone[risk] / 2 == pytest.approx(among[risk], abs=1e-9)
    assert alone["prosecutor_highest"] == among["prosecutor_highest"]
    with pytest.raises(UsageError, match="'who' is missing"):
        audit(people, policy(), settings, population=everybody.drop("who"))


def test_the_order_of_the_records_does_not_matter(people: pl.DataFrame) -> None:
    """Shuffled records give the same audit, digit for digit, under the same id."""
    settings = Audit(queries=100)
    shuffled = people.sample(fraction=1, shuffle=True, seed=3)
    one, other = audit(people, policy(), settings), audit(shuffled, policy(), settings)
    assert one.to_json() == other.to_json()


def test_a_seed_changes_the_id(people: pl.DataFrame) -> None:
    """Another seed is another audit."""
    ids = {audit(people, policy(), Audit(trained=False, queries=50, seed=seed)).id for seed in (1, 2)}
    assert 2 == len(ids)


def test_one_cell_tells_less_than_buckets(people: pl.DataFrame) -> None:
    """A release of one cell that asks for the age alone hides the job, and its lineage tells the cells in words."""
    tree = Node(column="age", buckets=("b0",), left="c0", right="c1")
    by_cell = audit(people, policy(release="cell", cells=tree), Audit(trained=False, queries=50))
    by_column = audit(people, policy(), Audit(trained=False, queries=50))
    mean = [one.risk["reconstruction"]["mean"] for one in (by_cell, by_column)]
    assert mean[0] < mean[1]
    cells = by_cell.buckets.filter(column="cell")
    assert ["c0", "c1"] == cells["bucket"].to_list()
    assert "age: ≤ 35" == cells["label"][0]
    assert 600 == cells["records"].sum()


def test_a_finer_second_release_tells_more(people: pl.DataFrame) -> None:
    """Holding an old release and a finer new one is worth at least the better of the two alone."""
    finer = policy(
        columns=RULES | {"job <b>": Categories(type="str", buckets={"a": ["clerk"], "b": ["nurse"], "c": ["driver"]})}
    )
    settings = Audit(personal=("job <b>",), trained=False)
    joint = multi_breach(people, [policy(), finer], settings)["accuracy"].item()
    alone = audit(people, policy(), settings).attacks.filter(attack="reconstruction")["accuracy"].item()
    assert 1.0 == joint > alone


def _gated(name: str, result: AuditResult, folder: Path) -> None:
    path = folder / f"{name}.parquet"
    result.tables()[name].cast(pl.Schema(contract(name).arrow)).write_parquet(path)
    assert [] == [check.name for check in gate([path], contract(name)).failures]


def test_the_table_of_attacks_passes_the_gate(result: AuditResult, tmp_path: Path) -> None:
    """The main table follows its contract, checked by the gate of the warehouse."""
    _gated("minimization_attack", result, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [f"minimization_{table}" for table in ("audit", "link", "attribute", "column", "bucket")]
)
def test_the_other_tables_pass_the_gate(name: str, result: AuditResult, tmp_path: Path) -> None:
    """So does every other one."""
    _gated(name, result, tmp_path)


def test_the_json_is_whole_and_strict(result: AuditResult, tmp_path: Path) -> None:
    """What is written parses, has no NaN, says what kind of risk it is, and has every attack's rows."""
    paths = write(result, tmp_path / "reports")
    told = json.loads(paths["json"].read_text(), parse_constant=pytest.fail)
    assert "empirical risk" == told["kind"]
    assert result.policy.digest == told["policy_sha256"]
    assert result.attacks.height == len(told["attacks"])
    assert {"columns", "buckets", "links", "attributes", "summary", "alternatives", "versions"} <= set(told)
    assert result.tables()["minimization_bucket"].rows() == pl.read_parquet(paths["minimization_bucket"]).rows()


class _Page(HTMLParser):
    """Collects ids, links and tags of a page, and refuses tags that do not close."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.ids, self.links, self.tags = [], set(), set(), set()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.ids |= {found["id"]} if "id" in found else set()
        self.links |= {found["href"]} if "href" in found else set()
        if tag not in ("meta", "rect", "line", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:  # noqa: ARG002 - as the base class calls it
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_safe_and_whole(result: AuditResult) -> None:
    """No script, nothing from elsewhere, every link lands, names are escaped, and no risk is called a guarantee."""
    text = html(result, pareto="<svg></svg>")
    page = _Page()
    page.feed(text)
    assert [] == page.open
    assert not page.tags & {"script", "img", "link", "iframe"}
    assert {link.removeprefix("#") for link in page.links} <= page.ids
    assert "job &lt;b&gt;" in text
    assert "alert(1)" in text
    assert "guarantee" not in text
    assert "empirical risks" in text


def test_markdown_tells_the_same(result: AuditResult) -> None:
    """Every attribute, bucket and attack is in it, and a cell stays a cell."""
    text = markdown(result)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.rstrip().endswith("|") for line in tables)
    assert "<script>" not in text
    for row in result.buckets.iter_rows(named=True):
        assert f"| {row['bucket']} |" in text
    for attack in ("non-personal knowledge", "leave-one-out", "partial personal knowledge", "multi-breach"):
        assert f" {attack} |" in text
    assert "_knowledge" not in text


def test_who_decides_is_told_what_is_almost_sure(result: AuditResult) -> None:
    """Something known of a part of the people stands first, whatever the mean over all of them is; news, not habit."""
    plain = result.attacks.filter(attack="high_certainty", attribute="sex").head(1)
    scores = [("sex", 10, 0.5, 0.97), ("sex", 20, 0.5, 0.96), ("sex", 50, 0.5, 0.9), ("job <b>", 50, 0.95, 0.99)]
    rows = [
        plain.with_columns(
            pl.lit(name).alias("attribute"),
            pl.lit(percent, pl.Int64).alias("percent"),
            pl.lit(majority).alias("majority"),
            pl.lit(accuracy).alias("accuracy"),
        )
        for name, percent, majority, accuracy in scores
    ]
    others = result.attacks.filter(pl.col("attack") != "high_certainty")
    known = replace(result, attacks=pl.concat([others, *rows]))
    said = (
        "Of the 20 % of the records that the attacker is most certain of, sex is named right in 96.0 % "
        "(the commonest value: 50.0 %)."
    )

    assert [said] == [warning for warning in View(known).warnings if "most certain" in warning]
    assert said in markdown(known)


def test_alternatives_stand_behind_the_policy_and_without_errors_last(result: AuditResult) -> None:
    """The pick comes first, then what was measured by error; what was not worth measuring comes last and says so."""
    tried = {"error": [None, 0.3, 0.1, 0.2], "picked": [False, False, False, True], "risk": [0.4, 0.5, 0.6, 0.5]}
    same = {"release": ["cell"] * 4, "leaves": [2, 4, 8, 9], "alpha": [0.5] * 4, "buckets": [4] * 4, "cells": [4] * 4}
    alternatives = pl.DataFrame(tried | same | {"smallest_group": [1_619.0, 2.0, 3.0, 4.0]})
    text = markdown(replace(result, alternatives=alternatives))

    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| cell") and "0.5 |" in line]
    assert ["9", "8", "4", "2"] == [row[1] for row in rows]
    assert ["20.0 %", "10.0 %", "30.0 %", "not measured"] == [row[3] for row in rows]
    assert ["4 |", "3 |", "2 |", "1,619 |"] == [row[-1] for row in rows]


def test_small_shares_are_not_told_as_none(result: AuditResult) -> None:
    """One in five thousand is little, and not nothing."""
    rare = replace(result, groups={**result.groups, "marketer": 0.0002})
    assert "| matches all records at once (marketer) | | < 0.1 % | |" in markdown(rare)


def test_the_policy_carries_its_risk(result: AuditResult) -> None:
    """The figures go into the policy file and leave its hash as it was."""
    risky = result.policy.with_risk(result.risk)
    assert result.policy.digest == risky.digest
    assert result.risk == risky.risk


def test_mistakes_are_named(people: pl.DataFrame, result: AuditResult, tmp_path: Path) -> None:
    """A missing column, nothing to attack, and a folder that cannot be written are errors with a hint."""
    with pytest.raises(SchemaDrift, match="age"):
        audit(people.drop("age"), policy(), Audit(trained=False, personal=("sex",)))
    numbers = policy(columns={"age": RULES["age"]})
    with pytest.raises(UsageError, match="nothing to attack"):
        audit(people.select("age", "who", "y"), numbers, Audit(trained=False))
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match="cannot be written"):
        write(result, tmp_path / "file")
