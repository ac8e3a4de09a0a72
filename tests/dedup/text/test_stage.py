"""The stage dedup: its invariants by name, against brute force and in any arrangement of the rows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.text import documents, problems
from dedup.text.stage import DEDUP, dedup
from schemas.ids import statement
from schemas.recipe.dedup import Dedup
from schemas.records import PROBLEM
from tests.dedup.text import brute
from tests.strategies import alike_texts, dedup_settings
from tests.tables import problem, stored
from warehouse.runner import run_stage
from warehouse.stages import Services, Workspace

PER_TEST = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _problem(number: int, text: str, **changes: Any) -> dict[str, Any]:
    return problem(number, prompt=[{"role": "user", "content": text}], **changes)


def _rows(texts: list[str]) -> pl.DataFrame:
    """Return problems in order of preference, each with tests of its own so that no two ids are equal."""
    rows = [_problem(number, text) for number, text in enumerate(texts)]
    return pl.DataFrame(rows, schema=pl.Schema(PROBLEM.arrow)).sort("problem_id")


def _decided(rows: pl.DataFrame, config: Dedup, services: Services) -> list[tuple[Any, ...]]:
    services.workspace.root.mkdir(exist_ok=True)
    found = dedup({"rows": rows.lazy()}, config, services).decisions
    return found.select("record_id", "reason", "measured", "threshold", "witness").sort("record_id").collect().rows()


def _texts(rows: pl.DataFrame) -> dict[str, str]:
    return {row["problem_id"]: statement(row["prompt"]) for row in rows.iter_rows(named=True)}


@PER_TEST
@given(texts=alike_texts(), config=dedup_settings())
def test_decisions_are_those_of_brute_force(texts: list[str], config: Dedup, services: Services) -> None:
    """Reason, similarity and witness of every removal are what the definitions say."""
    rows = _rows(texts)
    ids = rows["problem_id"].to_list()
    truth = brute.decide(list(_texts(rows).values()), config)
    expected = sorted(
        (ids[n], reason, similar, 1.0 if reason == "exact_duplicate" else config.threshold, ids[witness])
        for n, (reason, witness, similar) in truth.items()
    )
    assert expected == _decided(rows, config, services)


@PER_TEST
@given(texts=alike_texts(), config=dedup_settings())
def test_every_removed_document_has_a_kept_witness_at_or_above_the_threshold(
    texts: list[str],
    config: Dedup,
    services: Services,
) -> None:
    """A witness is never removed itself, and measures up."""
    decided = _decided(_rows(texts), config, services)
    removed = {record for record, *_ in decided}
    assert [] == [row for row in decided if row[4] in removed or row[2] < row[3]]


@PER_TEST
@given(texts=alike_texts(), config=dedup_settings())
def test_no_two_kept_documents_reach_the_threshold(texts: list[str], config: Dedup, services: Services) -> None:
    """What is kept gives no further decision when it is judged again with the same boilerplate."""
    plain = config.model_copy(update={"common_share": None})
    rows = _rows(texts)
    gone = [record for record, *_ in _decided(rows, plain, services)]
    assert [] == _decided(rows.filter(~pl.col("problem_id").is_in(gone)), plain, services)


@PER_TEST
@given(texts=alike_texts(), seed=st.integers(0, 99), size=st.integers(1, 5))
def test_the_result_does_not_depend_on_input_order_or_partitioning(
    texts: list[str],
    seed: int,
    size: int,
    services: Services,
) -> None:
    """Shuffled rows read in batches of any size give the same decisions."""
    rows = _rows(texts)
    config = Dedup(width=2, fewest=2, threshold=0.5)
    expected = _decided(rows, config, services)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "_ROWS_AT_ONCE", size)
        patch.setattr(documents, "_TEXTS_AT_ONCE", size)
        assert expected == _decided(rows.sample(fraction=1, shuffle=True, seed=seed), config, services)


def test_short_documents_are_never_dropped_as_near(services: Services) -> None:
    """A few words in common are no evidence; the same few words are an exact duplicate."""
    rows = _rows(["Reverse a string.", "Reverse the string.", "reverse  a string.", "Reverse a string!"])
    config = Dedup(width=1, threshold=0.5, keep_operators=False)
    assert ["exact_duplicate"] == [reason for _, reason, *_ in _decided(rows, config, services)]


NATALIA = (
    "Natalia sold clips to {} of her friends in April, and then she sold half as many clips in May. "
    "How many clips did Natalia sell altogether in April and May?"
)


@pytest.mark.parametrize(("keep_numbers", "expected"), [(True, []), (False, ["near_duplicate"])])
def test_prompts_that_differ_only_in_numbers_are_never_merged(
    expected: list[str],
    services: Services,
    *,
    keep_numbers: bool,
) -> None:
    """48 clips and 52 clips are two problems, unless the recipe says otherwise."""
    rows = _rows([NATALIA.format(48), NATALIA.format(52)])
    config = Dedup(threshold=0.5, keep_numbers=keep_numbers)
    assert expected == [reason for _, reason, *_ in _decided(rows, config, services)]


def test_prompts_that_differ_only_in_a_sign_are_never_merged(services: Services) -> None:
    """The sum x + y and x - y are two problems although their words are the same."""
    text = "Let x and y be the two roots of the polynomial p that we met above. Find the value of x {} y."
    assert [] == _decided(_rows([text.format("+"), text.format("-")]), Dedup(), services)


def test_a_shared_template_does_not_make_near_duplicates(services: Services) -> None:
    """Different problems in one long frame stay apart, and a reworded copy is still found."""
    frame = " ".join(f"frame{number}" for number in range(40))
    texts = [frame + " " + " ".join(f"own{task}x{number}" for number in range(30)) for task in "abcdefgh"]
    rows = _rows([*texts, texts[0].replace("x29", "x30")])
    loose = Dedup(threshold=0.35, common_share=None, keep_numbers=False)
    strict = Dedup(threshold=0.35, common_share=0.25, common_least=3, keep_numbers=False)
    assert (8, 1) == (len(_decided(rows, loose, services)), len(_decided(rows, strict, services)))


def test_the_preferred_record_is_kept(services: Services) -> None:
    """Named sources come first, then the rules in order, then the smaller id."""
    text = "Return the sum of a list."
    rows = pl.DataFrame(
        [
            _problem(1, text, source="b", tests='[{"answer":"1"},{"answer":"2"},{"answer":"3"}]'),
            _problem(2, text, source="a", tests='[{"answer":"1"},{"answer":"2"}]'),
            _problem(3, text, source="a", tests='[{"answer":"1"}]'),
        ],
        schema=pl.Schema(PROBLEM.arrow),
    )
    b, a, poor = rows["problem_id"]
    by_tests = {witness for *_, witness in _decided(rows, Dedup(), services)}
    by_source = {witness for *_, witness in _decided(rows, Dedup(sources=("a",)), services)}
    by_id = {witness for *_, witness in _decided(rows, Dedup(prefer=()), services)}
    assert ({b}, {a}, {min(b, a, poor)}) == (by_tests, by_source, by_id)


@pytest.mark.parametrize("rule", ["most_tests", "most_references", "longest", "earliest"])
def test_each_rule_of_preference_orders_any_rows(rule: str, services: Services) -> None:
    """No rule fails on missing dates, empty lists or tests that are not JSON arrays."""
    rows = _rows(["same", "same ", "SAME"]).with_columns(
        tests=pl.lit("{}"), reference_solutions=pl.lit([], pl.List(pl.Utf8))
    )
    assert 2 == len(_decided(rows, Dedup(prefer=(rule,)), services))


def test_a_document_too_long_to_compare_is_flagged_and_kept(services: Services) -> None:
    """What the near rule cannot look at is said, not silently passed."""
    rows = _rows(["word " * 30, "other words here"])
    decided = _decided(rows, Dedup(longest=100), services)
    assert [("too_long_to_compare", 149.0, 100.0)] == [row[1:4] for row in decided]


def test_no_rows_give_no_decisions(services: Services) -> None:
    """An empty table is a table."""
    assert [] == _decided(_rows([]), Dedup(), services)


def test_the_stage_accounts_for_every_row(workspace: Workspace, services: Services) -> None:
    """Run as a stage, what goes in comes out kept or dropped for a reason."""
    rows = _rows(["Say hello to the world.", "say  hello to the world.", "Count to ten."])
    run = run_stage(DEDUP, {"rows": stored(workspace, "rows", rows, "problem")}, Dedup(), services)
    assert {"in": 3, "kept": 2, "dropped": {"exact_duplicate": 1}, "failed": 0} == run.counts


@given(messages=st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(max_size=5)), max_size=4))
def test_statements_are_what_the_problem_states(messages: list[tuple[str, str]]) -> None:
    """The expression agrees with the definition by which problems are named."""
    prompt = [{"role": role, "content": content} for role, content in messages]
    frame = pl.DataFrame({"prompt": [prompt]}, schema={"prompt": pl.Schema(PROBLEM.arrow)["prompt"]})
    assert [statement(prompt)] == frame.select(problems.statements()).to_series().to_list()


def test_real_prompts_are_decided_as_by_brute_force(real_data: Path, services: Services) -> None:
    """MBPP and LeetCode prompts, shared template and all, get the decisions that the definitions give."""
    with gzip.open(real_data / "rlvr" / "mbpp.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    with gzip.open(real_data / "rlvr" / "leetcode_rllm_test.json.gz", "rt", encoding="utf-8") as file:
        texts += [row["problem"] for row in json.load(file)]
    rows, config = _rows(texts), Dedup(threshold=0.5, keep_numbers=False, keep_operators=False, prefer=())
    ids = rows["problem_id"].to_list()
    truth = brute.decide(list(_texts(rows).values()), config)
    expected = sorted((ids[n], reason, ids[witness], similar) for n, (reason, witness, similar) in truth.items())
    found = [
        (record, reason, witness, similar) for record, reason, similar, _, witness in _decided(rows, config, services)
    ]
    assert {"exact_duplicate", "near_duplicate"} == {reason for _, reason, *_ in expected}
    assert expected == found
