"""Final answers read from responses, and majorities among them."""

from __future__ import annotations

import gzip
import io

import polars as pl
import pytest

from curation.filters.answers import final_answer, majorities
from tests.counts import rollout, rollouts
from tests.tables import problem, problems


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"so \boxed{3} and then \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{ (a, {b}) }", "(a,{b})"),
        ("steps\n#### 1,234\n", "1234"),
        ("The answer is: $42$.", "42"),
        ("the final answer is (B)", "b"),
        ("Answer = 7.5. It was easy", "7.5"),
        ("steps\nA: 3.0", "3"),
        ("no idea", None),
        ("", None),
    ],
)
def test_final_answer(response, answer):
    """The last stated answer is read, and ways of writing it do not count."""
    assert answer == pl.DataFrame({"r": [response]}).select(x=final_answer(pl.col("r")))["x"][0]


def test_majorities():
    """The largest group is found with its votes; answers that state nothing do not vote."""
    table = problems([1])
    name = table["problem_id"][0]
    said = ["#### 3", "answer is 3", r"\boxed{3}", "#### 2", "hm"]
    made = rollouts(rollout(name, i, response=text, correct=text == "#### 2") for i, text in enumerate(said))
    expected = [{"problem_id": name, "majority": "3", "votes": 3, "refused": True, "answers": 4}]
    assert expected == majorities(table.lazy(), made).collect().rows(named=True)


def test_majority_ties_go_by_text():
    """Two equal groups: the smaller text is named, from any order."""
    table = problems([1])
    name = table["problem_id"][0]
    made = [rollout(name, i, response=f"#### {text}") for i, text in enumerate(["9", "2", "2", "9"])]
    for rows in (made, made[::-1]):
        assert ["2"] == majorities(table.lazy(), rollouts(rows)).collect()["majority"].to_list()


def test_real_solutions_agree_with_their_marks(real_data):
    """On 5,276 recorded GSM8K solutions, the answer read equals the key exactly where marked correct."""
    table = pl.read_ndjson(
        io.BytesIO(gzip.decompress((real_data / "rlvr/gsm8k_model_solutions.jsonl.gz").read_bytes()))
    )
    models = [name for name in table.columns if name not in ("question", "ground_truth")]
    answers = pl.concat(
        table.select(
            key=final_answer(pl.col("ground_truth")),
            read=final_answer(pl.col(model).struct.field("solution")),
            marked=pl.col(model).struct.field("is_correct"),
        )
        for model in models
    )
    agreed = answers.select((pl.col("key") == pl.col("read")).fill_null(value=False) == pl.col("marked")).to_series()
    assert (5276, 0) == (answers.height, answers["key"].null_count())
    assert 5276 == agreed.sum()


def test_programs_are_not_read():
    """Problems judged by running programs have no answer to compare."""
    code = problem(1, verifier='{"entry_point":"f","kind":"asserts"}')
    table = pl.DataFrame([code], schema=problems([]).schema)
    made = rollouts([rollout(code["problem_id"], 0)])
    assert 0 == majorities(table.lazy(), made).collect().height
