"""Short answers: mathematics by convention of its source, choices, strings, JSON, and graders of other packages."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from curation.verify import Judge, Task
from curation.verify.finals import extract
from schemas.enums import Status
from schemas.recipe.verify import Verify

MATH = '{"kind": "math", "format": "math"}'


def _status(judge: Judge, verifier: str, right: object, answer: str) -> Status:
    (judgement,) = judge.judge([Task(verifier, json.dumps([{"answer": right}]), answer)])
    return judgement.status


@pytest.mark.parametrize(
    ("style", "text", "answer"),
    [
        ("gsm8k", "2 + 2 = 4\n#### 1,234", "1,234"),
        ("gsm8k", "so\nA: $18", "$18"),
        ("gsm8k", "first 3, then 7 eggs", "7"),
        ("gsm8k", "no number", None),
        ("math", r"\boxed{1} or rather \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        ("math", r"\boxed{unclosed", None),
        ("math", "The final answer is 5.", "5"),
        ("aime", "042", "042"),
        ("gsm8k", "from 2-5 boxes", "5"),
        ("gsm8k", "so \\boxed{4}, as 2+2 is", "4"),
        ("gsm8k", "#### \N{MINUS SIGN}5", "-5"),
        ("math", r"$\boxed{1}$ and $\boxed {2}$, or \boxed 3", "1, 2, 3"),
        ("math", r"\boxed{\left\{1\right.} or so", r"\left\{1\right."),
        ("math", r"\boxed{" * 100_000 + "7}", "7"),
        ("aime", "**204**", "204"),
        ("gsm8k", "\n" * 200_000 + "7", "7"),
        ("math", "the answer is" + "\n" * 200_000 + "7", "7"),
    ],
)
def test_final_answers_are_found(style: str, text: str, answer: str | None) -> None:
    """Each convention finds the last answer that is marked as one."""
    if answer is None and style == "math":
        assert extract(style, text + "\nmore") is None
    else:
        assert answer == extract(style, text)


@pytest.mark.parametrize(
    ("right", "answer", "status"),
    [
        (r"\frac{1}{2}", r"so \boxed{0.5}", Status.AC),
        (r"\frac{1}{2}", r"so \boxed{\frac{2}{4}}", Status.AC),
        (r"\sqrt{2}", r"\boxed{2^{1/2}}", Status.AC),
        (r"\sqrt{2}", r"\boxed{1.41}", Status.WA),
        ("(1,2)", r"\boxed{(1, 2)}", Status.AC),
        ("x^2+2x+1", r"\boxed{(x+1)^2}", Status.AC),
        ("7", r"\boxed{7} \boxed{8}", Status.WA),
        ("7", "", Status.WA),
        ("7", r"\boxed{}", Status.WA),
        (r"\frac{1}{3}", r"\boxed{" + "(" * 5000 + "}", Status.WA),
        ("1,2", r"\boxed{2,1}", Status.AC),
        ("12", r"\boxed{1,2}", Status.WA),
        ("1234", r"\boxed{1\,234}", Status.AC),
        ("1000000", r"\boxed{1 000 000}", Status.AC),
        ("1000000", "\\boxed{1\N{NO-BREAK SPACE}000\N{THIN SPACE}000}", Status.AC),
        ("1000", r"\boxed{10 00}", Status.WA),
        ("90", "The answer is 90°.", Status.AC),
        ("-5", "\\boxed{\N{EN DASH}5}", Status.AC),
        (r"\frac{7}{2}", r"\boxed{3½}", Status.AC),
        ("¾", r"\boxed{0.75}", Status.AC),
        (r"\sqrt{2} + x^{10}", r"\boxed{x¹⁰ + √2}", Status.AC),
        ("x^2", r"\boxed{x³}", Status.WA),
        (r"(-\infty, 2]", "\\boxed{(\N{MINUS SIGN}∞, 2]}", Status.AC),
        ("5", "<think>4\nor 5?</think>\n<answer>\n5\n</answer>", Status.AC),
        ("5", "<answer>5</answer> or <answer>6</answer>", Status.WA),
        (r"\$10", r"\boxed{10}", Status.AC),
        ("7", r"\boxed{sNaN}", Status.WA),
        (" ", "7", Status.XX),
    ],
)
def test_mathematics(judge: Judge, right: str, answer: str, status: Status) -> None:
    """Equal expressions are equal however they are written, and the last answer counts."""
    assert status is _status(judge, MATH, right, answer)


def test_an_answer_that_hangs_the_grader_harms_no_other(judge: Judge) -> None:
    """What never ends is stopped, and the answers beside it in the batch are judged."""
    answers = [r"\boxed{2^{1/2}}", r"\boxed{\sqrt{2} + 9^{9^{9^{9^{9}}}}}", r"\boxed{\sqrt{2}}", r"\boxed{\sqrt{3}}"]
    judged = judge.judge(Task(MATH, json.dumps([{"answer": r"\sqrt{2}"}]), answer) for answer in answers)
    statuses = [judgement.status for judgement in judged]
    assert [Status.AC, Status.AC, Status.WA] == [statuses[0], *statuses[2:]]
    assert statuses[1] is not Status.AC


def test_an_answer_that_the_judge_cannot_bear_harms_no_other(judge: Judge) -> None:
    """It alone has no verdict, and the run goes on."""
    deep = "[" * 600 + "]" * 600
    given = [("[1]", "[1]"), (deep, deep), ("[1]", "[2]")]
    judged = judge.judge(Task('{"kind": "json"}', f'[{{"answer": {right}}}]', answer) for right, answer in given)
    assert [Status.AC, Status.XX, Status.WA] == [judgement.status for judgement in judged]


@pytest.mark.parametrize(
    ("kind", "right", "answer", "status"),
    [
        ("choice", "B", "The answer is (B).", Status.AC),
        ("choice", "B", r"\boxed{B}", Status.AC),
        ("choice", "B", "A or B? Answer: A", Status.WA),
        ("choice", "B", "", Status.WA),
        ("choice", "B", "(b)", Status.AC),
        ("choice", "B", "B, because I am sure", Status.AC),
        ("choice", "B", "Answer: I choose B", Status.AC),
        ("choice", "C", "C\n\nA and B fail.", Status.AC),
        ("choice", "C", "A and B fail, so C", Status.AC),
        ("choice", "2", "The answer is 2.", Status.AC),
        ("choice", "A", "Answer: A, B, C or D", Status.WA),
        ("choice", "D", "A B C D", Status.WA),
        ("choice", "A", "A\n\nB\n\nC", Status.WA),
        ("choice", "A", r"\boxed{A} or \boxed{B}", Status.WA),
        ("choice", "D", "A" + " " * 100_000 + "so D", Status.AC),
        ("choice", "Paris", "Paris", Status.XX),
        ("exact", "Paris", " Paris\n", Status.AC),
        ("exact", "Paris", "paris", Status.WA),
        ("json", {"a": [1, None]}, '{"a": [1.0, null]}', Status.AC),
        ("json", {"a": 1}, '{"a": true}', Status.WA),
        ("json", {"a": 1}, '{"a": 1, "a": 1}', Status.WA),
        ("json", 1, "NaN", Status.WA),
        ("json", [1], '{"!": "tuple", "v": [1]}', Status.WA),
        ("json", {"!": "int", "v": "1"}, '{"!": "int", "v": "1"}', Status.AC),
    ],
)
def test_other_answers(judge: Judge, kind: str, right: object, answer: str, status: Status) -> None:
    """Choices, strings and JSON are judged by their own rules."""
    assert status is _status(judge, json.dumps({"kind": kind}), right, answer)


@pytest.mark.parametrize(
    ("model", "correct"),
    [("6b_finetuning", 286), ("6b_verification", 515), ("175b_finetuning", 458), ("175b_verification", 742)],
)
def test_recorded_flags_are_reproduced(judge: Judge, real_data: Path, model: str, correct: int) -> None:
    """The flags of 1,319 recorded solutions follow from their texts, one by one."""
    import gzip

    with gzip.open(real_data / "rlvr" / "gsm8k_model_solutions.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    verifier = '{"kind": "math", "format": "gsm8k"}'
    tasks = (Task(verifier, json.dumps([{"answer": row["ground_truth"]}]), row[model]["solution"]) for row in rows)
    flags = [judgement.all_passed for judgement in judge.judge(tasks)]
    assert [row[model]["is_correct"] for row in rows] == flags
    assert correct == sum(flags)


def test_a_grader_of_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed entry point judges its kind inside the sandbox; one that fails gives no verdict."""
    from curation.verify import plugins

    (tmp_path / "palindromes.py").write_text(
        "def grade(spec, test, answer):\n    return answer == answer[::-1] and len(answer) >= test['answer']\n"
    )
    metadata = tmp_path / "palindromes-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: palindromes\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[sluice.graders]\npalindrome = palindromes:grade\n")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    plugins.graders.cache_clear()
    try:
        with Judge(Verify(workers=1)) as judge:
            kind = '{"kind": "palindrome"}'
            assert [Status.AC, Status.WA, Status.XX] == [
                _status(judge, kind, 3, "abba"),
                _status(judge, kind, 3, "abc"),
                _status(judge, kind, "three", "abba"),
            ]
    finally:
        plugins.graders.cache_clear()
