"""Each public layout becomes the contract's problem."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from datetime import date

import pytest

from curation.sources.drafts import Reason, Reject, problem_row
from curation.sources.registry import layout
from curation.verify.finals import boxed
from schemas.recipe.sources import Limits, Source


def row_of(kind, raw, **settings):
    """Return the problem that a raw row becomes, with its JSON columns parsed."""
    source = Source(name="s", kind=kind, path="f.jsonl", **settings)
    row = problem_row(layout(kind)(raw, source), source, "rev", Limits())
    return {**row, **{name: json.loads(row[name]) for name in ("verifier", "tests", "meta")}}


def reason_of(kind, raw, **settings):
    """Return why a raw row is rejected."""
    with pytest.raises(Reject) as caught:
        row_of(kind, raw, **settings)
    return caught.value.reason


HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'import math\n\ndef helper(x):\n    return x\n\n\ndef f(x):\n    """ Twice x. """\n',
    "canonical_solution": "    return 2 * x\n",
    "test": "\ndef check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2) == 4\n",
    "entry_point": "f",
}
MBPP = {
    "text": "Write a function to double.",
    "code": "def inner(x): return x\ndef double(x): return 2 * inner(x)",
    "task_id": 7,
    "test_setup_code": "import math",
    "test_list": ["assert double(1) == 2", "assert set([double(2)]) == {4}"],
    "challenge_test_list": ["assert double(0) == 0"],
}
INPUT_OUTPUT = {"inputs": ["1\n", "2\n", "1\n"], "outputs": ["2\n", "4\n", "2\n"]}
APPS = {
    "problem_id": 3,
    "question": "Double it.",
    "solutions": json.dumps(["print(2 * int(input()))"]),
    "input_output": json.dumps(INPUT_OUTPUT),
    "difficulty": "interview",
    "url": "https://example.org/3",
    "starter_code": "",
}
CODE_CONTESTS = {
    "name": "1_A. Double",
    "description": "Double it.",
    "public_tests": {"input": ["1\n"], "output": ["2\n"]},
    "private_tests": {"input": ["2\n"], "output": ["4\n"]},
    "generated_tests": {"input": ["1\n", "3\n"], "output": ["2\n", "6\n"]},
    "solutions": {"language": [3, 2], "solution": ["print(2*int(input()))", "int main(){}"]},
    "incorrect_solutions": {"language": [3], "solution": ["print(3)"]},
    "difficulty": 7,
    "cf_rating": 800,
    "cf_tags": ["math", ""],
    "time_limit": {"seconds": 1, "nanos": 500_000_000},
    "memory_limit_bytes": 256_000_000,
    "input_file": "",
    "output_file": "",
    "source": 2,
}
LEETCODE = {
    "task_id": "two-sum",
    "question_id": 1,
    "difficulty": "Meidum",
    "tags": ["Array"],
    "problem_description": "Two sum.",
    "starter_code": "class Solution:\n    def twoSum(self, nums, target):\n",
    "estimated_date": "2015-08-07",
    "prompt": "from typing import *\n",
    "completion": "class Solution:\n    def twoSum(self, nums, target):\n        return [0, 1]",
    "entry_point": "Solution().twoSum",
    "test": "def check(candidate):\n    assert candidate(nums=[1, 2], target=3) == [0, 1]\n",
    "query": "Solve two sum.",
}
LIVE = {
    "question_title": "Double",
    "question_content": "Double it.",
    "platform": "leetcode",
    "question_id": "3",
    "contest_date": "2024-08-01T00:00:00",
    "starter_code": "class Solution:\n    def double(self, x: int) -> int:\n",
    "difficulty": "hard",
    "public_test_cases": json.dumps([{"input": "1", "output": "2", "testtype": "functional"}]),
    "private_test_cases": base64.b64encode(
        zlib.compress(pickle.dumps(json.dumps([{"input": "[1]\n2", "output": "null", "testtype": "functional"}])))
    ).decode(),
    "metadata": json.dumps({"func_name": "double"}),
}


def test_humaneval():
    """The prompt is what a completion continues; its imports and helpers run first; its suite is called."""
    row = row_of("humaneval", HUMANEVAL)
    prelude = "import math\n\ndef helper(x):\n    return x"
    expected = {"kind": "asserts", "entry_point": "f", "candidate": "f", "prelude": prelude}
    assert (expected, HUMANEVAL["prompt"]) == (row["verifier"], row["starter_code"])
    assert [HUMANEVAL["prompt"] + HUMANEVAL["canonical_solution"]] == row["reference_solutions"]
    assert row["tests"][0]["code"].endswith("check(f)\n")
    assert ("MIT", "python", "code", 1) == (row["license"], row["language"], row["ability"], len(row["tests"]))


def test_split_asserts():
    """On request each assert of a suite is a test of its own."""
    tests = row_of("humaneval", HUMANEVAL, split_asserts=True)["tests"]
    assert ["candidate(1) == 2" in tests[0]["code"], "candidate(2) == 4" in tests[1]["code"]] == [True, True]


def test_mbpp():
    """The function is the one that the asserts call; setup runs with each; the asserts are shown."""
    row = row_of("mbpp", MBPP)
    assert ("double", "7") == (row["verifier"]["entry_point"], row["source_id"])
    assert {"code": "import math\nassert double(1) == 2"} == row["tests"][0]
    assert row["prompt"][0]["content"].endswith("tests:\n\n" + "\n".join(MBPP["test_list"]))


def test_mbpp_sanitized():
    """The sanitized edition names its text prompt and its setup imports."""
    raw = {
        "prompt": "Double it.",
        "code": MBPP["code"],
        "test_imports": ["import math"],
        "test_list": MBPP["test_list"],
    }
    row = row_of("mbpp", raw)
    assert {"code": "import math\nassert double(1) == 2"} == row["tests"][0]


def test_mbpp_settings():
    """Asserts can be hidden, and challenge tests added; the shown text changes, the hidden tests do not show."""
    row = row_of("mbpp", MBPP, show_tests=False, challenge_tests=True)
    assert (MBPP["text"], 3) == (row["prompt"][0]["content"], len(row["tests"]))


def test_apps_stdio():
    """Whole programs, repeated tests once, floats compared as APPS does."""
    row = row_of("apps", APPS)
    assert {"kind": "stdio", "compare": "float", "rel_tol": 1e-5, "abs_tol": 1e-8} == row["verifier"]
    assert [{"input": "1\n", "output": "2\n"}, {"input": "2\n", "output": "4\n"}] == row["tests"]
    assert (0.5, "higher_is_harder") == (row["difficulty"][0]["value"], row["difficulty"][0]["polarity"])


def test_apps_calls():
    """A named function makes calls; results wrapped in a list of one are unwrapped."""
    packed = {"fn_name": "double", "inputs": [[1], [2]], "outputs": [[2], [4]]}
    row = row_of("apps", {**APPS, "input_output": json.dumps(packed), "starter_code": "class Solution:\n"})
    assert ("calls", "Solution().double", "json") == tuple(row["verifier"][k] for k in ("kind", "candidate", "compare"))
    assert {"args": [1], "kwargs": {}, "expected": 2} == row["tests"][0]


def test_taco():
    """TACO's lists are Python literals in text; its limit is a number of seconds in words."""
    raw = {**APPS, "difficulty": "MEDIUM_HARD", "tags": "['Graphs', 'Math']", "time_limit": "2.0 seconds"}
    row = row_of("taco", raw)
    assert (["Graphs", "Math"], 2.0, 0.5) == (row["tags"], row["verifier"]["time_limit"], row["difficulty"][0]["value"])
    assert "Apache-2.0" == row["license"]


def test_code_contests():
    """All three groups of tests once each, right and wrong Python 3 programs, limits, labels with their polarity."""
    row = row_of("code_contests", CODE_CONTESTS)
    limits = {"time_limit": 1.5, "memory_limit_mb": 245}
    assert {"kind": "stdio", "compare": "float", "rel_tol": 0.0, "abs_tol": 1e-5, **limits} == row["verifier"]
    assert ["1\n", "2\n", "3\n"] == [test["input"] for test in row["tests"]]
    assert (["print(2*int(input()))"], ["print(3)"]) == (row["reference_solutions"], row["wrong_solutions"])
    assert [("A", "unordered", None), ("800", "higher_is_harder", 0.0)] == [
        (label["raw"], label["polarity"], label["value"]) for label in row["difficulty"]
    ]


def test_code_contests_with_files():
    """A problem that reads a named file cannot be judged on standard input and is rejected by name."""
    assert Reason.NOT_STDIO == reason_of("code_contests", {**CODE_CONTESTS, "input_file": "input.txt"})


def test_leetcode():
    """LeetCodeDataset: the code to run first, the method called, date, tags and the misspelt class."""
    row = row_of("leetcode", LEETCODE)
    assert ("twoSum", "Solution().twoSum") == (row["verifier"]["entry_point"], row["verifier"]["candidate"])
    assert (date(2015, 8, 7), ["Array"], 0.5) == (row["date"], row["tags"], row["difficulty"][0]["value"])
    assert row["tests"][0]["code"].endswith("check(Solution().twoSum)\n")


def test_livecodebench_functional():
    """Arguments are JSON lines; private tests come out of their pickle unloaded."""
    row = row_of("livecodebench", LIVE)
    tests = [{"args": [1], "kwargs": {}, "expected": 2}, {"args": [[1], 2], "kwargs": {}, "expected": None}]
    assert (tests, date(2024, 8, 1)) == (row["tests"], row["date"])


def test_livecodebench_stdio():
    """Programs compare tokens as exact decimals."""
    cases = [{"input": "1\n", "output": "2\n", "testtype": "stdin"}]
    row = row_of("livecodebench", {**LIVE, "public_test_cases": cases, "private_test_cases": "[]"})
    assert {"kind": "stdio", "compare": "float", "rel_tol": 0.0, "abs_tol": 0.0} == row["verifier"]


def test_gsm8k():
    """The answer follows the mark, its thousands unseparated."""
    row = row_of("gsm8k", {"question": "How many?", "answer": "Sum.\n#### 1,234"})
    assert ([{"answer": "1234"}], "gsm8k", "math") == (row["tests"], row["verifier"]["format"], row["ability"])


def test_gsm8k_without_answer():
    """A solution without a final answer is rejected by name."""
    assert Reason.NO_FINAL_ANSWER == reason_of("gsm8k", {"question": "How many?", "answer": "Sum."})


def test_math():
    """The answer is what the solution boxes last."""
    raw = {"problem": "?", "level": "Level 3", "type": "Algebra", "solution": r"\boxed{1}, no, \boxed{\frac{1}{2}}."}
    row = row_of("math", raw)
    assert ([{"answer": r"\frac{1}{2}"}], 0.5, ["Algebra"]) == (
        row["tests"],
        row["difficulty"][0]["value"],
        row["tags"],
    )


@pytest.mark.parametrize(("text", "answer"), [(r"\boxed 7 ", "7"), (r"\boxed{a{b}c", None), ("none", None)])
def test_boxes(text, answer):
    """A box without braces holds a token; one that is not closed, or not there, holds nothing."""
    assert answer == boxed(text)


def test_rllm_aime():
    """Votes from 1 to 10, -1 unknown; the contest's number is the id."""
    raw = {"problem": "?", "answer": "42", "difficulty": -1.0, "year": 2024, "aime_number": 1, "problem_number": 3}
    row = row_of("rllm", raw)
    assert ("aime", "2024-1-3", None) == (row["verifier"]["format"], row["source_id"], row["difficulty"][0]["value"])


def test_rllm_leetcode():
    """Nodes are there before the candidate where the problem speaks of them."""
    suite = "def check(candidate):\n    assert candidate(l = list_node([1])) == 1\n\n\ncheck(Solution().f)"
    row = row_of(
        "rllm", {"problem": "Of a ListNode.", "solutions": "class Solution: ...", "tests": {"functional": suite}}
    )
    assert ("Solution().f", True, False) == (
        row["verifier"]["candidate"],
        "class ListNode" in row["verifier"]["prelude"],
        "class TreeNode" in row["verifier"]["prelude"],
    )


def test_rllm_prelude_builds_trees():
    """The converters of the prelude build and compare lists and trees as LeetCode writes them."""
    suite = "def check(candidate):\n    pass\n\ncheck(Solution().f)"
    raw = {"problem": "TreeNode and ListNode", "solutions": "x", "tests": {"functional": suite}}
    names: dict = {}
    exec(row_of("rllm", raw)["verifier"]["prelude"], names)
    tree = names["tree_node"]([1, None, 2, 3])
    assert (1, None, 2, 3) == (tree.val, tree.left, tree.right.val, tree.right.left.val)
    assert names["is_same_tree"](tree, names["tree_node"]([1, None, 2, 3]))
    assert not names["is_same_tree"](tree, names["tree_node"]([1, 2, None, 3]))
    assert names["is_same_list"](names["list_node"]([1, 2]), names["list_node"]([1, 2]))
    assert not names["is_same_list"](names["list_node"]([1]), names["list_node"]([1, 2]))
    assert 2 == names["pow"](3, 3, 5)


@pytest.mark.parametrize(
    ("truth", "kind", "tests"),
    [
        ("42", "math", [{"answer": "42"}]),
        (json.dumps({"inputs": ["1"], "outputs": ["2"]}), "stdio", [{"input": "1", "output": "2"}]),
        (json.dumps([{"input": "1", "output": "2"}]), "stdio", [{"input": "1", "output": "2"}]),
        (
            json.dumps({"fn_name": "f", "inputs": [[1]], "outputs": [2]}),
            "calls",
            [{"args": [1], "kwargs": {}, "expected": 2}],
        ),
    ],
)
def test_verl(truth, kind, tests):
    """A ground truth is packed tests or an answer; messages stay messages."""
    prompt = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}]
    raw = {
        "data_source": "x",
        "prompt": prompt,
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": {"split": "train", "index": 4, "when": date(2024, 1, 1)},
    }
    row = row_of("verl", raw)
    assert (kind, tests, prompt, "train/4") == (row["verifier"]["kind"], row["tests"], row["prompt"], row["source_id"])


def test_table_with_a_column_map():
    """Any table, its columns named with dots into objects and JSON text of objects."""
    raw = {"q": "Add.", "pack": json.dumps({"in": ["1"], "out": ["2"]}), "level": 3, "good": "print(2)", "t": "a, b"}
    columns = {
        "prompt": "q",
        "inputs": "pack.in",
        "outputs": "pack.out",
        "difficulty": "level",
        "reference_solutions": "good",
        "tags": "t",
    }
    row = row_of("table", raw, verifier="stdio", columns=columns, difficulty_scale="level_5", compare="lines")
    assert ({"kind": "stdio", "compare": "lines"}, 0.5) == (row["verifier"], row["difficulty"][0]["value"])
    assert ([{"input": "1", "output": "2"}], ["print(2)"], ["a", "b"]) == (
        row["tests"],
        row["reference_solutions"],
        row["tags"],
    )


TABLE = {"verifier": "calls", "columns": {"tests": "tests", "entry_point": "fn"}}


@pytest.mark.parametrize(
    ("kind", "raw", "settings", "reason"),
    [
        ("apps", {**APPS, "input_output": ""}, {}, Reason.NO_TESTS),
        ("apps", {**APPS, "input_output": "{"}, {}, Reason.NOT_JSON),
        ("apps", {**APPS, "input_output": "3"}, {}, Reason.WRONG_TYPE),
        ("apps", {**APPS, "question": None}, {}, Reason.NULL_PROMPT),
        ("apps", {**APPS, "question": 3}, {}, Reason.WRONG_TYPE),
        ("apps", {**APPS, "input_output": '{"inputs": ["1"], "outputs": []}'}, {}, Reason.UNEQUAL_TESTS),
        ("apps", {**APPS, "input_output": '{"inputs": ["1"], "outputs": [null]}'}, {}, Reason.NULL_EXPECTED),
        ("apps", {**APPS, "input_output": '{"inputs": ["1", "1"], "outputs": ["2", "3"]}'}, {}, Reason.CONTRADICTORY),
        ("mbpp", {**MBPP, "test_list": ["assert double(1) == 2", "assert double(1) == 3"]}, {}, Reason.CONTRADICTORY),
        ("mbpp", {**MBPP, "test_list": []}, {}, Reason.NO_TESTS),
        ("mbpp", {**MBPP, "test_list": "assert 1"}, {}, Reason.WRONG_TYPE),
        ("mbpp", {**MBPP, "test_list": ["assert other(1) == 2"]}, {}, Reason.MISSING_FIELD),
        ("rllm", {"problem": "?", "answer": None}, {}, Reason.NULL_EXPECTED),
        ("rllm", {"answer": "1"}, {}, Reason.MISSING_FIELD),
        ("livecodebench", {**LIVE, "metadata": "{}"}, {}, Reason.MISSING_FIELD),
        ("table", {"prompt": "?", "fn": "f", "tests": [{"args": []}]}, TABLE, Reason.WRONG_TYPE),
        ("table", {"prompt": "?", "tests": []}, TABLE, Reason.MISSING_FIELD),
        ("table", {"prompt": "?", "fn": "f", "tests": []}, TABLE, Reason.NO_TESTS),
        (
            "table",
            {"prompt": "\ud800", "a": "1"},
            {"verifier": "exact", "columns": {"answer": "a"}},
            Reason.INVALID_TEXT,
        ),
    ],
)
def test_rows_that_cannot_be_problems(kind, raw, settings, reason):
    """Each fault of a row has its own reason."""
    assert reason == reason_of(kind, raw, **settings)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(prompt_chars=5), Reason.PROMPT_TOO_LARGE),
        (Limits(tests=1), Reason.TESTS_TOO_LARGE),
        (Limits(tests_chars=10), Reason.TESTS_TOO_LARGE),
    ],
)
def test_size_limits(limits, reason):
    """The recipe's limits are kept to."""
    source = Source(name="s", kind="apps", path="f.jsonl")
    with pytest.raises(Reject) as caught:
        problem_row(layout("apps")(APPS, source), source, "rev", limits)
    assert reason == caught.value.reason


def test_the_recipe_has_the_last_word():
    """Licence, ability and comparator of the recipe replace what the layout says."""
    row = row_of("apps", APPS, license="CC0-1.0", ability="olympiad", compare="tokens")
    assert ("CC0-1.0", "olympiad", "tokens") == (row["license"], row["ability"], row["verifier"]["compare"])
