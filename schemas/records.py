"""The contracts of the main job: problems, rollouts, pass rates, prompt sets, and what was found in and of them.

Canonical types only: text is utf8, what is heterogeneous is JSON text, nothing is dictionary-encoded.
"""

from __future__ import annotations

import pyarrow as pa

from schemas.contracts import AtMost, Between, Column, Contract, InSet, JsonText, Matches, NotBlank
from schemas.enums import Isolation, Status

__all__ = [
    "CONTAMINATION",
    "GENERATED_TEST",
    "MESSAGES",
    "PASS_RATE",
    "PROBLEM",
    "PROMPT_SET",
    "REJECTION",
    "ROLLOUT",
    "TEST_QUALITY",
]

TEXT = pa.string()
COUNT = pa.int64()
MESSAGES = pa.list_(pa.struct([pa.field("role", TEXT), pa.field("content", TEXT)]))
TEXTS = pa.list_(TEXT)
DIFFICULTY = pa.list_(
    pa.struct(
        [
            pa.field("label", TEXT),
            pa.field("raw", TEXT),
            pa.field("value", pa.float64()),
            pa.field("polarity", TEXT),
        ],
    ),
)

PROBLEM = Contract(
    name="problem",
    version="1.0.0",
    doc="One problem: what is asked, how an answer is judged, and where it came from.",
    columns=(
        Column("problem_id", TEXT, "Content hash of the normalised statement and the verifier."),
        Column("prompt", MESSAGES, "Messages that pose the problem."),
        Column("verifier", TEXT, "JSON object: kind, and the settings of that kind."),
        Column("tests", TEXT, "JSON array of tests, in the shape that the verifier's kind asks for."),
        Column(
            "starter_code", TEXT, "Code that a completion continues; null where answers stand alone.", nullable=True
        ),
        Column("reference_solutions", TEXTS, "Programs or answers held to be right, best first."),
        Column("wrong_solutions", TEXTS, "Programs or answers known to be wrong."),
        Column("source", TEXT, "Name of the source, as the recipe gives it."),
        Column("source_id", TEXT, "The record's own id in its source."),
        Column("source_revision", TEXT, "Revision of the source (commit, version or file digest).", nullable=True),
        Column("license", TEXT, "SPDX id of the licence, or LicenseRef-unknown."),
        Column("date", pa.date32(), "When the problem was first published.", nullable=True),
        Column("ability", TEXT, "What the problem exercises: code, math, ..."),
        Column("language", TEXT, "Programming language of the answer; null if none.", nullable=True),
        Column("difficulty", DIFFICULTY, "Labels of the source, value in [0, 1] turned so that 1 is hardest."),
        Column("tags", TEXTS, "Topics, as the source names them."),
        Column("meta", TEXT, "JSON object: whatever else the source says."),
    ),
    key=("problem_id",),
    rules=(
        Matches("problem_id", r"p_[0-9a-f]{24}"),
        NotBlank("prompt"),
        JsonText("verifier"),
        JsonText("tests"),
        JsonText("meta"),
        NotBlank("license"),
    ),
)
"""Verifier kinds are those of `schemas.enums.VerifierKind`, polarities those of `schemas.enums.Polarity`."""

ROLLOUT = Contract(
    name="rollout",
    version="1.0.0",
    doc="One sampled answer to one problem, and the verdict on it.",
    columns=(
        Column("rollout_id", TEXT, "Content hash of problem, policy, sampler and sample index."),
        Column("problem_id", TEXT, "The problem answered."),
        Column("policy", TEXT, "Model that answered."),
        Column("policy_revision", TEXT, "Revision or checkpoint of the model."),
        Column("sampler", TEXT, "Digest of the sampler's settings."),
        Column("sample_index", pa.int32(), "0-based index among this policy's samples for the problem."),
        Column("response", TEXT, "The answer, as sampled."),
        Column("finish_reason", TEXT, "stop, length, or what the endpoint said.", nullable=True),
        Column("truncated", pa.bool_(), "The answer was cut by the token limit."),
        Column("response_chars", pa.int32(), "Length in characters."),
        Column("response_tokens", pa.int32(), "Length in tokens, where the back end tells.", nullable=True),
        Column("request_hash", TEXT, "Key of the cached model request.", nullable=True),
        Column("status", TEXT, "Raw outcome of the verifier."),
        Column("passed", pa.int32(), "Tests passed; null where the sandbox failed.", nullable=True),
        Column("total", pa.int32(), "Tests run; null where the sandbox failed.", nullable=True),
        Column("all_passed", pa.bool_(), "Every test passed; null where the sandbox failed.", nullable=True),
        Column("verifier_version", TEXT, "Version of the verdict interface that judged."),
        Column("isolation", TEXT, "Rung of the isolation ladder that judged it.", volatile=True),
        Column("cpu_ms", pa.float64(), "CPU time of the judged program.", nullable=True, volatile=True),
        Column("detail", TEXT, "First evidence against the answer, shortened.", nullable=True, volatile=True),
    ),
    key=("rollout_id",),
    rules=(
        Matches("rollout_id", r"r_[0-9a-f]{24}"),
        InSet("status", tuple(Status)),
        InSet("isolation", tuple(Isolation)),
        Between("sample_index", 0),
        Between("passed", 0),
        AtMost("passed", "total"),
    ),
)

PASS_RATE = Contract(
    name="pass_rate",
    version="1.0.0",
    doc="Counts per problem, policy, sampler and verifier version; rates and intervals are views over them.",
    columns=(
        Column("problem_id", TEXT, "The problem measured."),
        Column("policy", TEXT, "Model that answered."),
        Column("policy_revision", TEXT, "Revision or checkpoint of the model."),
        Column("sampler", TEXT, "Digest of the sampler's settings."),
        Column("verifier_version", TEXT, "Version of the verdict interface that judged."),
        Column("n", COUNT, "Answers judged."),
        Column("c", COUNT, "Answers that passed every test."),
        Column("faults", COUNT, "Answers that the sandbox could not judge; in neither n nor c."),
        Column("tests_passed", COUNT, "Tests passed, over all answers judged."),
        Column("tests_total", COUNT, "Tests run, over all answers judged."),
        Column("truncated", COUNT, "Answers cut by the token limit."),
        Column("chars", COUNT, "Characters, over all answers judged."),
        Column("chars_correct", COUNT, "Characters, over the correct answers."),
        Column("min_chars_correct", COUNT, "Characters of the shortest correct answer.", nullable=True),
    ),
    key=("problem_id", "policy", "policy_revision", "sampler", "verifier_version"),
    rules=(
        Between("n", 0),
        Between("c", 0),
        Between("faults", 0),
        AtMost("c", "n"),
        AtMost("tests_passed", "tests_total"),
    ),
)

TEST_QUALITY = Contract(
    name="test_quality",
    version="1.0.0",
    doc="How much a problem's tests can be trusted: what they accept, refuse and tell apart.",
    columns=(
        Column("problem_id", TEXT, "The problem whose tests were tried."),
        Column("n_tests", COUNT, "Tests of the problem."),
        Column("duplicate_tests", COUNT, "Tests that repeat another one."),
        Column("references", COUNT, "Reference solutions judged."),
        Column("references_passed", COUNT, "Reference solutions accepted (true positives)."),
        Column("wrong", COUNT, "Known-wrong solutions judged."),
        Column("wrong_passed", COUNT, "Known-wrong solutions accepted (false positives)."),
        Column("mutants", COUNT, "Mutants of the reference judged; null if not measured.", nullable=True),
        Column("mutants_killed", COUNT, "Mutants that at least one test refused.", nullable=True),
        Column("trivial_passed", TEXTS, "Trivial programs accepted: empty, echo, constant, ..."),
        Column("flaky", pa.bool_(), "The reference's verdict changed between two runs."),
        Column("verifier_version", TEXT, "Version of the verdict interface that judged."),
    ),
    key=("problem_id",),
    rules=(
        Between("n_tests", 0),
        AtMost("references_passed", "references"),
        AtMost("wrong_passed", "wrong"),
        AtMost("mutants_killed", "mutants"),
    ),
)

GENERATED_TEST = Contract(
    name="generated_test",
    version="1.1.0",
    doc="A test that a model wrote, what it says of right and of wrong answers, and whether it is admitted.",
    columns=(
        Column("problem_id", TEXT, "The problem it tests."),
        Column("test", TEXT, "The assert statement, in canonical form."),
        Column("proposed", COUNT, "Texts of the model that contain it."),
        Column("rivals", COUNT, "Other tests that give another result for the same call."),
        Column("reference", TEXT, "Status of the reference under it; null if that was not found out.", nullable=True),
        Column("wrong", COUNT, "Known-wrong answers tried."),
        Column("wrong_killed", COUNT, "Known-wrong answers that it refuses."),
        Column("mutants", COUNT, "Mutants of the reference tried."),
        Column("mutants_killed", COUNT, "Mutants that it refuses."),
        Column("refuses", TEXTS, "Which they are: `wrong N` and `mutant N`, counted from 0."),
        Column(
            "reason", TEXT, "admitted, or why not: not_judged, flaky, reference_fails, contradicted, kills_nothing."
        ),
    ),
    key=("problem_id", "test"),
    rules=(
        AtMost("wrong_killed", "wrong"),
        AtMost("mutants_killed", "mutants"),
        Between("proposed", 1),
        InSet("reason", ("admitted", "not_judged", "flaky", "reference_fails", "contradicted", "kills_nothing")),
    ),
)

PROMPT_SET = PROBLEM.with_columns(
    name="prompt_set",
    doc="A published RLVR prompt set: problems in curriculum order, with the evidence that put them there.",
    columns=(
        Column("row_id", TEXT, "Content hash of problem, curriculum, phase and duplicate index."),
        Column("curriculum", TEXT, "Curriculum the row belongs to, such as drive."),
        Column("phase", TEXT, "Part of the curriculum, such as sft, stage1, stage2.1."),
        Column("order_index", COUNT, "0-based training order within the phase."),
        Column("dup_index", pa.int32(), "0 for the first exposure of a problem in its phase, 1 for the second, ..."),
        Column(
            "band", TEXT, "Difficulty band by pass rate: easy, medium, hard; null if never measured.", nullable=True
        ),
        Column("policy", TEXT, "Policy whose counts n and c are.", nullable=True),
        Column("policy_revision", TEXT, "Its revision.", nullable=True),
        Column("sampler", TEXT, "Digest of its sampler's settings.", nullable=True),
        Column("n", COUNT, "Answers judged.", nullable=True),
        Column("c", COUNT, "Answers that passed every test.", nullable=True),
        Column("n_tests", COUNT, "Tests of the problem."),
        Column("mutants", COUNT, "Mutants of the reference that were judged; null if not measured.", nullable=True),
        Column("mutants_killed", COUNT, "Mutants that the tests told from the reference.", nullable=True),
        Column("flags", TEXTS, "Remarks that did not drop the row, such as label-error suspects."),
    ),
    key=("row_id",),
    rules=(
        *PROBLEM.rules,
        Matches("row_id", r"s_[0-9a-f]{24}"),
        Between("order_index", 0),
        Between("dup_index", 0),
        Between("n_tests", 1),
        AtMost("c", "n"),
        AtMost("mutants_killed", "mutants"),
    ),
)

CONTAMINATION = Contract(
    name="contamination",
    version="1.0.0",
    doc="Where a rule found a benchmark item in a problem: its best item per benchmark.",
    columns=(
        Column("problem_id", TEXT, "The problem that holds the item."),
        Column("rule", TEXT, "The rule that found it: exact, containment, short, or one that others ship."),
        Column("benchmark", TEXT, "Name of the benchmark, as the recipe gives it."),
        Column("benchmark_revision", TEXT, "Revision or digest of the benchmark.", nullable=True),
        Column("item", TEXT, "Problem id of the benchmark's item."),
        Column("item_source_id", TEXT, "The item's own id in its benchmark."),
        Column("score", pa.float64(), "Share of the item found, or the rule's own measure."),
        Column("threshold", pa.float64(), "Score from which the rule would remove the problem."),
        Column("matched", TEXT, "The longest stretch of words that matches, shortened."),
        Column("drops", pa.bool_(), "True if the rule removes; false if it only tells what it would remove."),
    ),
    key=("problem_id", "rule", "benchmark"),
    rules=(Between("score", 0), NotBlank("rule"), NotBlank("benchmark")),
)

REJECTION = Contract(
    name="rejection",
    version="1.0.0",
    doc="A row of a source that could not become a problem.",
    columns=(
        Column("source", TEXT, "Name of the source."),
        Column("file", TEXT, "File it stood in."),
        Column("line", COUNT, "1-based line, or row number where the format has no lines."),
        Column("reason", TEXT, "Reason code."),
        Column("detail", TEXT, "What was found and what is allowed."),
    ),
    key=("source", "file", "line"),
    rules=(NotBlank("reason"), Between("line", 0)),
)
