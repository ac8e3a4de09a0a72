"""The filters by name: each turns its settings into findings over the facts.

A filter is pure: no table is read here, and no filter knows of another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from curation.columns import answer_key, verifier_kind
from curation.filters.evidence import own
from curation.filters.findings import Finding
from curation.measure.bands import above, below
from schemas.enums import VerifierKind
from schemas.recipe import filters as recipe

__all__ = ["FORMS", "findings"]

FORMS: dict[recipe.Form, str] = {
    "proof": r"(?i)\b(?:prove|show|verify|demonstrate) that\b|\bprove (?:the|or disprove)\b|\bgive a proof\b",
    "multiple_choice": (
        r"(?is)\bwhich of the following\b|\(A\)\s.+\(B\)\s.+\(C\)\s|\\textbf\{\(A\)|"
        r"(?:^|\n)\s*A[.)]\s.+\n\s*B[.)]\s.+\n\s*C[.)]\s"
    ),
    "true_false": r"(?i)\btrue or false\b|\btrue/false\b|\bis (?:this|the following) statement (?:true|correct)\b",
    "figure": (
        r"(?i)\b(?:figure|diagram|graph|image|picture) (?:below|above|shown|to the (?:left|right))\b|"
        r"\b(?:in|see|as in) the (?:figure|diagram|picture|image)\b|\[image\]|\[asy\]|!\[[^\]]*\]\(|<img\b|"
        r"\\includegraphics"
    ),
    "url": r"(?i)\bhttps?://|\bwww\.[a-z]",
    "multipart": r"(?s)(?:^|\n|\s)\((?:a|i|1)\)\s.+(?:\n|\s)\((?:b|ii|2)\)\s|\b[Pp]art [aA1]\b.+\b[Pp]art [bB2]\b",
}
_KINDS = {"multiple_choice": VerifierKind.CHOICE.value}


def findings(settings: recipe.Filters) -> list[Finding]:
    """Return what the recipe's rules look for, in the recipe's order."""
    return [finding for rule in settings.rules for finding in _FINDERS[type(rule)](rule)]


def _ratio(part: str, whole: str) -> pl.Expr:
    """Return part / whole, null where there is no whole."""
    return pl.col(part) / pl.when(pl.col(whole) > 0).then(pl.col(whole))


def _short_of(part: str, whole: str, share: Any) -> pl.Expr:
    """Return part / whole < share in integers, null where there is no whole."""
    short = pl.col(part) * share.denominator < pl.col(whole) * share.numerator
    return pl.when(pl.col(whole) > 0).then(short)


def _gold_sanity(rule: recipe.GoldSanity) -> list[Finding]:
    counted = ("references_passed", "references")
    return [Finding(rule, rule.code, _short_of(*counted, rule.min_share), _ratio(*counted), rule.min_share)]


def _min_tests(rule: recipe.MinTests) -> list[Finding]:
    return [Finding(rule, rule.code, pl.col("n_tests") < rule.at_least, pl.col("n_tests"), rule.at_least)]


def _unsolved(rule: recipe.Unsolved) -> list[Finding]:
    return _extreme(rule, pl.col("c") == 0, pl.col("high"), pl.col("high") <= float(rule.upper), float(rule.upper))


def _saturated(rule: recipe.Saturated) -> list[Finding]:
    return _extreme(
        rule, pl.col("c") == pl.col("n"), pl.col("low"), pl.col("low") >= float(rule.lower), float(rule.lower)
    )


def _extreme(rule: Any, looks: pl.Expr, bound: pl.Expr, proven: pl.Expr, threshold: float) -> list[Finding]:
    measured = pl.when(pl.col("n") > 0)
    if rule.evidence == "none":
        return [Finding(rule, rule.code, measured.then(looks), _ratio("c", "n"))]
    found = [Finding(rule, rule.code, measured.then(looks & proven), bound, threshold)]
    if rule.flag_unproven:
        unproven = measured.then(looks & ~proven)
        found.append(Finding(rule, f"{rule.code}_unproven", unproven, bound, threshold, flag_only=True))
    return found


def _band(rule: recipe.BandRule) -> list[Finding]:
    enough = pl.col("n") >= (rule.samples or 1)
    outside = pl.when(enough).then(below(rule) | above(rule))
    edge = pl.when(below(rule)).then(pl.lit(float(rule.low))).otherwise(pl.lit(float(rule.high)))
    return [Finding(rule, rule.code, outside, _ratio("c", "n"), edge)]


def _form(rule: recipe.FormRule) -> list[Finding]:
    return [_has_form(rule, form, code) for form, code in zip(rule.forms, rule.codes, strict=True)]


def _has_form(rule: recipe.FormRule, form: recipe.Form, code: str) -> Finding:
    pattern, statement = rule.patterns.get(form, FORMS[form]), pl.col("statement")
    by_kind = verifier_kind() == _KINDS[form] if form in _KINDS else pl.lit(value=False)
    fires = statement.str.contains(pattern) | by_kind
    return Finding(rule, code, fires, pl.lit(1.0), witness=statement.str.extract(f"({pattern})"))


def _guessable(rule: recipe.Guessable) -> list[Finding]:
    right = own(rule, "c")
    fires = pl.when(own(rule, "n") > 0).then(right > rule.at_most)
    return [Finding(rule, rule.code, fires, right, rule.at_most)]


def _majority_disagrees(rule: recipe.MajorityDisagrees) -> list[Finding]:
    votes, answers = own(rule, "votes"), own(rule, "answers")
    many = votes * rule.min_share.denominator > answers * rule.min_share.numerator
    fires = pl.when(answers >= rule.min_answers).then(many & own(rule, "refused"))
    return [Finding(rule, rule.code, fires, votes / answers, rule.min_share, own(rule, "majority"))]


def _rank_inversion(rule: recipe.RankInversion) -> list[Finding]:
    bound = own(rule, "delta_high")
    witness = pl.concat_str(own(rule, "stronger"), pl.lit(" below "), own(rule, "weaker"))
    return [Finding(rule, rule.code, pl.when(bound < 0).then(pl.lit(value=True)), bound, 0.0, witness)]


def _known_solutions(rule: recipe.KnownSolutions) -> list[Finding]:
    right = _ratio("references_passed", "references")
    refused = 1 - _ratio("wrong_passed", "wrong")
    lets_by = pl.col("wrong_passed") * rule.min_tnr.denominator
    allowed = pl.col("wrong") * (rule.min_tnr.denominator - rule.min_tnr.numerator)
    lenient = pl.when(pl.col("wrong") > 0).then(lets_by > allowed)
    strict = _short_of("references_passed", "references", rule.min_tpr)
    return [
        Finding(rule, f"{rule.code}_tpr", strict, right, rule.min_tpr),
        Finding(rule, f"{rule.code}_tnr", lenient, refused, rule.min_tnr),
    ]


def _test_strength(rule: recipe.TestStrength) -> list[Finding]:
    counted = ("mutants_killed", "mutants")
    fires = pl.when(pl.col("mutants") >= rule.min_mutants).then(_short_of(*counted, rule.min_killed))
    return [Finding(rule, rule.code, fires, _ratio(*counted), rule.min_killed)]


def _trivial_passes(rule: recipe.TrivialPasses) -> list[Finding]:
    passed = pl.col("trivial_passed")
    return [Finding(rule, rule.code, passed.list.len() > 0, passed.list.len(), 0, passed.list.join(", "))]


def _flaky(rule: recipe.Flaky) -> list[Finding]:
    return [Finding(rule, rule.code, pl.col("flaky"), pl.col("flaky"), 0)]


def _remeasured(rule: recipe.Remeasured) -> list[Finding]:
    n = own(rule, "n")
    return [Finding(rule, rule.code, n < rule.min_samples, n, rule.min_samples)]


def _difficulty(rule: recipe.Difficulty) -> list[Finding]:
    value = own(rule, "value")
    fires = (value < rule.at_least) | (value > rule.at_most)
    edge = pl.when(value < rule.at_least).then(pl.lit(rule.at_least)).otherwise(pl.lit(rule.at_most))
    return [Finding(rule, rule.code, fires, value, edge)]


def _min_statement(rule: recipe.MinStatement) -> list[Finding]:
    length = pl.col("statement").str.len_chars()
    return [Finding(rule, rule.code, length < rule.characters, length, rule.characters)]


def _allowed(rule: recipe.Allowed) -> list[Finding]:
    value = pl.col(rule.name)
    return [Finding(rule, rule.code, ~value.is_in(rule.allow), pl.lit(None), witness=value)]


def _date_window(rule: recipe.DateWindow) -> list[Finding]:
    day = pl.col("date")
    early = day < rule.since if rule.since else pl.lit(value=False)
    late = day >= rule.before if rule.before else pl.lit(value=False)
    fires = pl.when(day.is_not_null()).then(early | late)
    return [Finding(rule, rule.code, fires, pl.lit(None), witness=day.dt.to_string("iso"))]


def _integer_answer(rule: recipe.IntegerAnswer) -> list[Finding]:
    key = answer_key()
    return [Finding(rule, rule.code, ~key.str.contains(r"^\s*[-+]?\d+\s*$"), pl.lit(None), witness=key)]


def _hardest(rule: recipe.Hardest) -> list[Finding]:
    return [Finding(rule, rule.code, own(rule, "beyond"), own(rule, "rate"), own(rule, "edge"))]


_FINDERS: dict[type, Callable[[Any], list[Finding]]] = {
    recipe.GoldSanity: _gold_sanity,
    recipe.MinTests: _min_tests,
    recipe.Unsolved: _unsolved,
    recipe.Saturated: _saturated,
    recipe.BandRule: _band,
    recipe.FormRule: _form,
    recipe.Guessable: _guessable,
    recipe.MajorityDisagrees: _majority_disagrees,
    recipe.RankInversion: _rank_inversion,
    recipe.KnownSolutions: _known_solutions,
    recipe.TestStrength: _test_strength,
    recipe.TrivialPasses: _trivial_passes,
    recipe.Flaky: _flaky,
    recipe.Remeasured: _remeasured,
    recipe.Difficulty: _difficulty,
    recipe.MinStatement: _min_statement,
    recipe.Allowed: _allowed,
    recipe.DateWindow: _date_window,
    recipe.IntegerAnswer: _integer_answer,
    recipe.Hardest: _hardest,
}
