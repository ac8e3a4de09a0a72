"""The policy file: what it says, what it refuses, how it comes back."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from privacy.minimize.cells import Node
from privacy.minimize.policy import Policy
from privacy.minimize.rules import Categories, Drop, Interval
from schemas.errors import InputError, PolicyChanged, RecipeError
from tests.privacy.minimize.corpora import Corpus, corpora, policy_of


def _saved(folder: Path, policy: Policy) -> Path:
    return policy.save(folder / "policy.yaml")


def _age(**more: Any) -> Interval:
    return Interval(type="int", borders=["27.5", "35.5"], **more)


@settings(max_examples=60)
@given(corpus=corpora(rows=1))
def test_a_saved_policy_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> None:
    """Every border and category survives the file, whatever it is named."""
    path = _saved(tmp_path_factory.mktemp("policy"), corpus.policy)

    found = Policy.load(path)

    assert corpus.policy == found.model_copy(update={"sha256": None})
    assert corpus.policy.to_yaml() == found.to_yaml()


@pytest.mark.parametrize("text", ["\x85", "a\u2028b", " \u2029 ", "\r\n", "\ufeff", "\x7f", "\t"])
def test_texts_with_unusual_white_space_come_back(tmp_path: Path, text: str) -> None:
    """A category that YAML would take for a line break is still that category."""
    policy = policy_of({"job": Categories(type="str", buckets={"g0": [text]})})

    assert policy.digest == Policy.load(_saved(tmp_path, policy)).digest


def test_the_file_keeps_the_json_schema_that_is_printed(tmp_path: Path) -> None:
    """What is saved is valid under the schema that `sluice schema policy` prints."""
    import yaml

    policy = policy_of({"age": _age(), "sex": Drop(), "job": Categories(type="str", buckets={"g0": ["a"]})})
    saved = yaml.safe_load(_saved(tmp_path, policy).read_text())

    jsonschema.validate(json.loads(json.dumps(saved, default=str)), Policy.model_json_schema())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("27.5", "28.5"),
        ("release: attribute", "release: attribute\nclient: id"),
        ("kind: drop", "kind: interval, type: int, borders: []"),
    ],
)
def test_a_change_without_a_new_hash_is_refused_by_name(tmp_path: Path, before: str, after: str) -> None:
    """What decides what is stored cannot be changed in the file alone."""
    path = _saved(tmp_path, policy_of({"age": _age(), "sex": Drop()}))
    path.write_text(path.read_text().replace(before, after, 1), encoding="utf-8")

    with pytest.raises(PolicyChanged, match="sluice minimize revise"):
        Policy.load(path)


def test_the_hash_leaves_out_what_decides_nothing(tmp_path: Path) -> None:
    """Purpose and measured risk may be added to without a new version."""
    policy = policy_of({"age": _age()})
    path = _saved(tmp_path, policy.with_risk({"worst": 0.25}))

    assert policy.digest == Policy.load(path).digest
    assert {"worst": 0.25} == Policy.load(path).risk


def test_a_number_keeps_all_digits_that_stand_in_the_file(tmp_path: Path) -> None:
    """A border that no float holds is read as it is written."""
    path = _saved(tmp_path, policy_of({"n": Interval(type="int", borders=["9007199254740993.5"])}))

    assert "borders: [9007199254740993.5]" in path.read_text()
    assert ("9007199254740993.5",) == Policy.load(path).columns["n"].borders


def test_faults_are_told_with_line_and_key_all_at_once(tmp_path: Path) -> None:
    """Several wrong rules in one file are all named."""
    path = _saved(
        tmp_path,
        policy_of({"age": _age(), "n": _age(), "job": Categories(type="str", buckets={"g0": ["a"], "g1": ["b"]})}),
    )
    text = path.read_text().replace("[27.5, 35.5]", "[35.5, 27.5]", 1).replace("g1: [b]", "g1: [a]")
    path.write_text(
        text.replace("closed: right", "closd: right", 1).replace("on_unseen: __other__", "on_unseen: g7"),
        encoding="utf-8",
    )

    with pytest.raises(RecipeError) as told:
        Policy.load(path)

    assert 2 == len(told.value.problems)
    assert "columns.age.closd: unknown key 'closd'; did you mean 'closed'?" in told.value.problems[0]
    assert "'a' is in buckets 'g0' and 'g1'; keep one; on_unseen names 'g7'" in told.value.problems[1]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"type": "int", "borders": [3, 2]}, "borders must rise strictly; found 3 before 2"),
        ({"type": "int", "borders": [2, 2.0]}, "borders must rise strictly; found 2 before 2"),
        ({"type": "float", "borders": ["nan"]}, "border 'nan' is not a finite value of type float"),
        ({"type": "float", "borders": ["x"]}, "border 'x' is not a finite value"),
        ({"type": "date", "borders": ["2020-02-30"]}, "border '2020-02-30' is not a finite value of type date"),
        ({"type": "datetime", "borders": ["2020-01-01T00:00Z"]}, "is not a finite value of type datetime"),
        ({"type": "instant", "borders": ["2020-01-01T00:00"]}, "is not a finite value of type instant"),
        ({"type": "decimal", "borders": ["1.5"]}, "scale is given for type decimal"),
        ({"type": "int", "borders": ["1e39"]}, "is not a finite value of type int"),
        ({"type": "int", "borders": [1], "on_null": "b2"}, "on_null names 'b2'; allowed are b0, b1, __null__"),
        ({"type": "int", "borders": [1], "on_nan": "b0"}, "on_nan is given for type float"),
        ({"type": "int", "borders": [1], "closed": "left"}, "Input should be 'right'"),
    ],
)
def test_an_unsound_interval_is_refused(rule: dict[str, Any], said: str) -> None:
    """Borders rise, are finite values of the column's type, and special values have a bucket."""
    with pytest.raises(ValidationError) as told:
        Interval(**rule)

    assert said in str(told.value)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"type": "str", "buckets": {"g0": []}}, "bucket 'g0' is empty"),
        ({"type": "str", "buckets": {"g0": ["a"], "g1": ["a"]}}, "'a' is in buckets 'g0' and 'g1'"),
        ({"type": "str", "buckets": {"__null__": ["a"]}}, "bucket '__null__' must be named by letters"),
        ({"type": "int", "buckets": {"g0": [True]}}, "True in bucket 'g0' is not of type int"),
        ({"type": "str", "buckets": {"g0": ["\ud800"]}}, "is not valid Unicode text"),
        ({"type": "int", "buckets": {"g0": [10**38]}}, "has more than 38 digits"),
    ],
)
def test_unsound_categories_are_refused(rule: dict[str, Any], said: str) -> None:
    """No bucket is empty, no category is in two, and every engine can hold it."""
    with pytest.raises(ValidationError) as told:
        Categories(**rule)

    assert said in str(told.value)


_TREE = Node(column="age", buckets=("b0",), left="c0", right="c1")


def _asking(*buckets: str) -> dict[str, Any]:
    return {"release": "cell", "cells": _TREE.model_copy(update={"buckets": buckets})}


@pytest.mark.parametrize(
    ("columns", "more", "said"),
    [
        ({"age": _age()}, {"passthrough": {"age": "int"}}, "column 'age' has a rule and is passed through"),
        ({"age": _age(), "AGE": _age()}, {}, "columns 'age' and 'AGE' have the same name in SQL"),
        ({"": _age()}, {}, "column '' cannot be named in SQL"),
        ({"age": _age()}, {"release": "cell"}, "cells are given for release 'cell'"),
        ({"age": _age()}, {"cells": _TREE}, "cells are given for release 'cell'"),
        ({"age": Drop()}, _asking("b0"), "cells ask about 'age', of which no bucket is known"),
        ({"age": _age()}, _asking("b9"), "bucket 'b9', which it does not have"),
        ({"age": _age()}, _asking(), "a question with one answer"),
        ({"age": _age()}, _asking("b0") | {"passthrough": {"Cell": "int"}}, "have the same name in SQL"),
    ],
)  # fmt: skip
def test_an_unsound_policy_is_refused(columns: dict[str, Any], more: dict[str, Any], said: str) -> None:
    """Roles exclude one another, names can be told apart in SQL, and cells ask what can be answered."""
    with pytest.raises(ValidationError) as told:
        policy_of(columns, **more)

    assert said in str(told.value)


def test_labels_say_what_a_bucket_holds_in_raw_units() -> None:
    """Closed ends are stated, whole numbers are told as whole numbers, special values stand where they go."""
    policy = policy_of(
        {
            "age": _age(on_null="b0"),
            "rate": Interval(type="float", borders=[0.5, 2]),
            "job": Categories(type="str", buckets={"g0": ["Sales", ""]}, on_unseen="g0"),
            "town": Categories(type="str", buckets={"g0": ["Bath", "Nice, France", "a\nb", "End "]}),
            "day": Interval(type="date", borders=[date(2020, 1, 31)]),
        },
    )

    assert {"b0": "≤ 27, or missing", "b1": "28 to 35", "b2": "> 35"} == policy.labels("age")
    assert "> 0.5 and ≤ 2.0" == policy.labels("rate")["b1"]
    assert "missing, or NaN" == policy.labels("rate")["__null__"]
    assert {"g0": "Sales, '', or anything else", "__null__": "missing"} == policy.labels("job")
    assert "Bath, 'Nice, France', 'a\\nb', 'End '" == policy.labels("town")["g0"]
    assert "≤ 2020-01-31" == policy.labels("day")["b0"]


def test_a_file_that_is_not_there_is_an_error_with_its_name(tmp_path: Path) -> None:
    """No traceback for a slip of the pen."""
    with pytest.raises(InputError, match=r"policy '.*nowhere.yaml' cannot be read"):
        Policy.load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("purpose: tests", "purpose: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("purpose: tests", "purpose: tests\npurpose: others", "purpose: given twice; keep one."),
        ("[27.5, 35.5]", "[27.5, .nan]", "border 'nan' is not a finite value of type int"),
        ("[27.5, 35.5]", "[27.5, .inf]", "border 'inf' is not a finite value of type int"),
        ("risk: {}", "risk: &risk {risk: *risk}", "its aliases stand for more than 1,000,000 values."),
        ("version: 1", "version: latest", "version: Input should be a valid integer"),
        ("version: 1", "version: 0", "version: Input should be greater than or equal to 1"),
    ],
)
def test_a_hostile_file_is_a_fault_in_it(tmp_path: Path, before: str, after: str, said: str) -> None:
    """Tags run nothing, aliases do not multiply, a key stands once, and borders are finite."""
    path = _saved(tmp_path, policy_of({"age": _age()}))
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")

    with pytest.raises(RecipeError) as told:
        Policy.load(path)

    assert said in told.value.message
