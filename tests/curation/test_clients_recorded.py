"""Recorded answers: every layout is replayed, in a fixed order, or refused with its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.rollouts.clients import open_client
from curation.rollouts.requests import ALL, Sample, plan
from schemas.errors import InputError
from schemas.ids import canonical_json
from schemas.recipe.rollouts import Recorded, RecordedColumns
from tests.curation.code_problems import asserted
from tests.tables import problem
from warehouse.fingerprint import input_sha256


def _policy(path: Path, **changes: Any) -> Recorded:
    return Recorded(backend="recorded", name="made", path=str(path), **changes)


def _replayed(policy: Recorded, made: dict[str, Any], scratch: Path, first: int = 0, last: int = ALL) -> list[Sample]:
    client = open_client(policy, scratch)
    try:
        ((_, samples),) = client.answer(list(plan(client, made, first, last)))
    finally:
        client.close()
    return samples


def _lines(path: Path, rows: list[Any]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.parquet"])
def test_a_long_table_is_replayed_from_every_format(tmp_path: Path, name: str) -> None:
    """One row per answer, with its own index, reason and length, in JSON lines, JSON and Parquet alike."""
    rows = [
        {"id": str(n), "said": f"{n}-{i}", "i": i, "why": "length" if i else "stop", "len": 3}
        for n in (7, 8)
        for i in (1, 0)
    ]
    path = tmp_path / name
    if name.endswith("parquet"):
        pl.DataFrame(rows).write_parquet(path)
    elif name.endswith("json"):
        path.write_text(json.dumps(rows))
    else:
        _lines(path, rows)
    columns = RecordedColumns(problem="id", response="said", index="i", finish_reason="why", tokens="len")

    samples = _replayed(_policy(path, columns=columns), problem(7), tmp_path)

    assert [Sample("7-0", "stop", 3), Sample("7-1", "length", 3)] == samples


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shuffled=st.permutations(range(6)))
def test_without_an_index_the_order_of_rows_does_not_matter(tmp_path: Path, shuffled: list[int]) -> None:
    """Answers without an index are numbered by their text: the same in any order of the file."""
    path = _lines(tmp_path / "a.jsonl", [{"problem": "7", "response": f"answer {n // 2}"} for n in shuffled])

    samples = _replayed(_policy(path), problem(7), tmp_path)

    assert [f"answer {n // 2}" for n in range(6)] == [sample.text for sample in samples]


@pytest.mark.parametrize("match", ["problem_id", "source_id", "statement"])
def test_problems_are_known_by_id_or_statement(tmp_path: Path, match: str) -> None:
    """A table may name problems by id, by their id in the source, or by what they ask, white space aside."""
    made = problem(7)
    name = made["prompt"][0]["content"].replace(" ", "  \n") if match == "statement" else made[match]
    path = _lines(tmp_path / "a.jsonl", [{"problem": name, "response": "8"}])

    assert ["8"] == [sample.text for sample in _replayed(_policy(path, match=match), made, tmp_path)]


def test_codet_prompts_are_told_apart_by_their_text(tmp_path: Path) -> None:
    """Entry points repeat; the prompt whose lines the problem holds is the right one, though examples were cut."""
    prompts = [f'def clamp(value, low, high):\n    """Clamp, {way}."""\n' for way in ("up", "down")]
    path = _lines(tmp_path / "a.jsonl", [{"prompt": p, "samples": [f"{p[-8:]}0", "1"]} for p in prompts])
    down = asserted(1, starter_code=prompts[1].replace('."""', '.\n    >>> clamp(1, 2, 3)\n    2."""'))
    other = asserted(2, starter_code="def clamp(only, these):\n    pass\n")

    policy = _policy(path, layout="codet", program="completion")

    assert [f"{prompts[1][-8:]}0", "1"] == [sample.text for sample in _replayed(policy, down, tmp_path)]
    client = open_client(policy, tmp_path)
    assert 2 == len({request.key for made in (down, other) for request in plan(client, made, 0, ALL)})
    client.close()
    assert [] == _replayed(policy, other, tmp_path)


def test_two_checkpoints_of_one_name_are_replayed_side_by_side(tmp_path: Path) -> None:
    """Each client reads its own table, whatever both policies are called."""
    policies = [
        _policy(_lines(tmp_path / f"{n}.jsonl", [{"problem": "7", "response": n}]), revision=n, match="source_id")
        for n in ("8", "9")
    ]
    clients = [open_client(policy, tmp_path) for policy in policies]
    found = [next(client.answer(list(plan(client, problem(7), 0, ALL))))[1] for client in clients]
    for client in clients:
        client.close()
    assert ["8", "9"] == [sample.text for (sample,) in found]


def test_models_solutions_and_generations(tmp_path: Path) -> None:
    """A column of one model's solutions, and lists of answers by problem, are read too."""
    question = problem(7)["prompt"][0]["content"]
    solved = _lines(tmp_path / "s.jsonl", [{"question": question, "big": {"solution": "A: 8", "is_correct": True}}])
    lists = tmp_path / "g.json"
    lists.write_text(json.dumps({"raw_generations": {"7": ["8", "9"], "6": ["7"]}}))

    of_model = _replayed(_policy(solved, layout="gsm8k_solutions", model="big"), problem(7), tmp_path)
    of_lists = _replayed(_policy(lists, layout="generations"), problem(7), tmp_path)

    assert (["A: 8"], ["8", "9"]) == ([s.text for s in of_model], [s.text for s in of_lists])


def test_part_of_the_answers(tmp_path: Path) -> None:
    """A request gets the answers of its indices and no others."""
    path = tmp_path / "g.json"
    path.write_text(json.dumps({"7": list("abcdef")}))

    samples = _replayed(_policy(path, layout="generations", samples=4), problem(7), tmp_path, first=2, last=4)

    assert ["c", "d"] == [sample.text for sample in samples]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"problem": "7", "response": "8"}\n{broken\n', r"a\.jsonl:2: not JSON"),
        ('{"problem": "7", "response": null}\n', r"row 1: .* a text is wanted, not None"),
        ('{"problem": "7", "text": "8"}\n', r"row 1: .* KeyError: 'response'; it has the keys problem, text"),
        ("[1]\n", r"row 1: .* it has a list"),
        ("", r"hold no answer in the layout 'long'"),
    ],
)
def test_a_bad_table_is_refused_with_its_place(tmp_path: Path, content: str, message: str) -> None:
    """What is wrong, and in which row, stands in the error."""
    path = tmp_path / "a.jsonl"
    path.write_text(content)

    with pytest.raises(InputError, match=message):
        open_client(_policy(path), tmp_path)


@pytest.mark.parametrize("changes", [{"i": "first"}, {"i": -1}, {"len": 2**31}, {"len": "3"}, {"why": 7}])
def test_columns_of_the_wrong_type_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    """An index, a length or a reason that is none is found when the table is read, not when rollouts are written."""
    row = {"problem": "7", "response": "8", "i": 0, "len": 1, "why": "stop"} | changes
    columns = RecordedColumns(index="i", finish_reason="why", tokens="len")

    with pytest.raises(InputError, match=r"row 1: .* wanted, not|row 1: .* a count is a whole number"):
        open_client(_policy(_lines(tmp_path / "a.jsonl", [row]), columns=columns), tmp_path)


@pytest.mark.parametrize("name", ["absent.jsonl", "absent.parquet", "noise.jsonl", "noise.jsonl.gz", "noise.parquet"])
def test_an_unreadable_file_is_refused(tmp_path: Path, name: str) -> None:
    """A missing file, wrong bytes, a broken archive: each is an error that names the file."""
    if name.startswith("noise"):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00 noise" * 9)

    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        open_client(_policy(tmp_path / name), tmp_path)


def test_a_file_that_changed_since_the_plan_is_refused(tmp_path: Path) -> None:
    """The digest taken when the run was planned is the one that is read."""
    path = _lines(tmp_path / "a.jsonl", [{"problem": "7", "response": "8"}])
    planned = _policy(path, sha256=input_sha256(path))
    _lines(path, [{"problem": "7", "response": "9"}])

    with pytest.raises(InputError, match="changed since the run was planned"):
        open_client(planned, tmp_path)


def test_every_recorded_humaneval_prompt_finds_its_problem(real_data: Path, tmp_path: Path) -> None:
    """The 164 prompts of the recorded CodeGen-16B completions match the 164 problems one to one, 100 answers each."""
    with gzip.open(real_data / "rlvr" / "humaneval.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    path = real_data / "rlvr" / "humaneval_codegen16b_rollouts.jsonl.gz"
    client = open_client(_policy(path, layout="codet", program="completion"), tmp_path)
    found = []
    for row in rows:
        verifier = canonical_json({"kind": "asserts", "entry_point": row["entry_point"]})
        prompt = [{"role": "user", "content": row["prompt"]}]
        made = problem(0, prompt=prompt, verifier=verifier, starter_code=row["prompt"])
        ((_, samples),) = client.answer(list(plan(client, made, 0, ALL)))
        found.append(tuple(sample.text for sample in samples))
    client.close()

    assert {100} == {len(texts) for texts in found}
    assert 164 == len({*found})
