"""The ``filters`` section of a recipe: named rules, each with its settings."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.enums import Polarity
from schemas.recipe.base import Section
from schemas.recipe.measures import Band, Interval, Measure, Share
from schemas.recipe.patterns import Pattern

__all__ = [
    "Allowed",
    "BandRule",
    "Control",
    "DateWindow",
    "Difficulty",
    "Filters",
    "Flaky",
    "Form",
    "FormRule",
    "GoldSanity",
    "Guessable",
    "Hardest",
    "IntegerAnswer",
    "KnownSolutions",
    "MajorityDisagrees",
    "MinStatement",
    "MinTests",
    "RankInversion",
    "Remeasured",
    "Rule",
    "Saturated",
    "TestStrength",
    "TrivialPasses",
    "Unsolved",
]

Form = Literal["proof", "multiple_choice", "true_false", "figure", "url", "multipart"]
_EVIDENCE_64 = Fraction(6, 100)


class _Rule(Section):
    """What every rule can be told."""

    action: Literal["drop", "flag"] = "drop"
    """Take the problem out, or keep it with a remark."""
    missing: Literal["keep", "flag", "drop"] = "flag"
    """What to do with a problem whose evidence is absent; the reason then ends in ``_unknown``."""
    abilities: tuple[str, ...] = ()
    """Hold the rule only against problems of these abilities; empty means all."""
    sources: tuple[str, ...] = ()
    """Hold the rule only against problems of these sources; empty means all."""
    reason: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")
    """Reason code of the decisions; the rule's name if left out."""

    @property
    def code(self) -> str:
        """Reason code of the rule's decisions."""
        return self.reason or self.name  # type: ignore[attr-defined]

    @property
    def codes(self) -> tuple[str, ...]:
        """All reason codes that the rule may give to problems it takes out or flags."""
        return (self.code,)


class _Suspicion(_Rule):
    """A rule that raises a suspicion: flags by default, and says nothing where there is no evidence."""

    action: Literal["drop", "flag"] = "flag"
    missing: Literal["keep", "flag", "drop"] = "keep"


class GoldSanity(_Rule):
    """Reference solutions must pass the problem's own tests."""

    name: Literal["gold_sanity"]
    min_share: Share = Fraction(1)
    """Share of the references that must pass."""


class MinTests(_Rule):
    """At least so many tests (5 in DeepCoder and AceCoder, 16 in Klear-Reasoner)."""

    name: Literal["min_tests"]
    at_least: int = Field(default=5, ge=1)
    """Number of tests."""


class _Extreme(_Rule):
    evidence: Literal["interval", "none"] = "interval"
    """``interval`` drops only what the interval proves; ``none`` drops on the bare counts."""
    flag_unproven: bool = True
    """Flag what looks so but is not proven yet: more samples are due."""


class Unsolved(_Extreme):
    """No answer passed, and the interval says that the pass rate is (nearly) 0."""

    name: Literal["unsolved"]
    upper: Share = _EVIDENCE_64
    """Largest upper bound of the pass rate that counts as proof; 0 of 64 gives 0.0566 (Wilson, 95 %)."""

    @property
    def codes(self) -> tuple[str, ...]:
        """The rule's code, and that of the unproven."""
        return (self.code, f"{self.code}_unproven")


class Saturated(_Extreme):
    """Every answer passed, and the interval says that the pass rate is (nearly) 1."""

    name: Literal["saturated"]
    lower: Share = 1 - _EVIDENCE_64
    """Smallest lower bound of the pass rate that counts as proof."""

    @property
    def codes(self) -> tuple[str, ...]:
        """The rule's code, and that of the unproven."""
        return (self.code, f"{self.code}_unproven")


class BandRule(Band, _Rule):
    """Keep pass rates inside a band."""

    name: Literal["band"]
    samples: int | None = Field(default=None, ge=1)
    """Number of samples the band is meant for; a problem measured on fewer counts as unmeasured."""


class FormRule(_Rule):
    """Drop statements of a form that cannot be verified, or can be guessed."""

    name: Literal["form"]
    forms: tuple[Form, ...] = ("proof", "multiple_choice", "true_false", "figure", "url", "multipart")
    """Forms to look for; each is a reason code of its own."""
    patterns: dict[Form, Pattern] = Field(default_factory=dict)
    """Regular expressions (Rust syntax) replacing the built-in ones."""

    @property
    def codes(self) -> tuple[str, ...]:
        """One code per form; behind the reason, if one is given."""
        return tuple(f"{self.reason}_{form}" if self.reason else form for form in self.forms)


class Guessable(_Rule):
    """A policy asked to guess without reasoning must not be right (Kimi k1.5: within 8 tries)."""

    name: Literal["guessable"]
    guesser: Measure
    """Counts of the guessing policy."""
    at_most: int = Field(default=0, ge=0)
    """Right guesses allowed."""


class MajorityDisagrees(_Suspicion):
    """Most sampled answers agree with each other and not with the key: suspect of a wrong label."""

    name: Literal["majority_disagrees"]
    min_share: Share = Fraction(1, 2)
    """The largest group of equal answers must hold more than this share of the answers."""
    min_answers: int = Field(default=4, ge=2)
    """Fewest answers read from which a majority is believed."""


class RankInversion(_Suspicion):
    """A stronger policy does significantly worse than a weaker one: suspect of a wrong label."""

    name: Literal["rank_inversion"]
    weakest_first: tuple[Measure, ...] = ()
    """Policies from weak to strong; if empty, the overall pass rate on shared problems decides."""


class KnownSolutions(_Rule):
    """Known-right solutions must pass (TPR) and known-wrong ones must fail (TNR)."""

    name: Literal["known_solutions"]
    min_tpr: Share = Fraction(1)
    """Smallest share of the references accepted."""
    min_tnr: Share = Fraction(1)
    """Smallest share of the wrong solutions refused."""
    missing: Literal["keep", "flag", "drop"] = "keep"

    @property
    def codes(self) -> tuple[str, ...]:
        """One code per direction."""
        return (f"{self.code}_tpr", f"{self.code}_tnr")


class TestStrength(_Rule):
    """The tests must kill a share of the mutants of the reference."""

    name: Literal["test_strength"]
    min_killed: Share = Fraction(4, 5)
    """Smallest share of mutants killed."""
    min_mutants: int = Field(default=1, ge=1)
    """Fewest mutants from which a share is believed."""


class TrivialPasses(_Rule):
    """No trivial program (empty, echo, constant) may pass."""

    name: Literal["trivial_passes"]


class Flaky(_Rule):
    """The verdict on the reference must not change between runs."""

    name: Literal["flaky"]


class Remeasured(_Rule):
    """The problem must have been measured by a given checkpoint."""

    name: Literal["remeasured"]
    by: Measure
    """The checkpoint."""
    min_samples: int = Field(default=8, ge=1)
    """Fewest answers of that checkpoint."""
    missing: Literal["keep", "flag", "drop"] = "drop"


class Difficulty(_Rule):
    """Keep a difficulty label of the source inside a range; 0 is easiest, 1 is hardest, whatever its polarity was."""

    name: Literal["difficulty"]
    label: str
    """Name of the label, as the source gives it."""
    at_least: float = Field(default=0.0, ge=0, le=1)
    """Lower edge, inclusive."""
    at_most: float = Field(default=1.0, ge=0, le=1)
    """Upper edge, inclusive."""

    refuses: ClassVar[Polarity] = Polarity.UNORDERED


class MinStatement(_Rule):
    """The statement must have a least length (200 characters in OpenThoughts-114k)."""

    name: Literal["min_statement"]
    characters: int = Field(default=200, ge=1)
    """Fewest characters."""


class Allowed(_Rule):
    """Only listed values of a column of the problem are allowed."""

    name: Literal["license", "language", "ability"]
    allow: tuple[str, ...] = Field(min_length=1)
    """Values allowed."""


class DateWindow(_Rule):
    """First published in ``[since, before)``."""

    name: Literal["date_window"]
    since: date | None = None
    """First day allowed."""
    before: date | None = None
    """First day no longer allowed."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.since and self.before and self.since >= self.before:
            raise ValueError(f"the window from {self.since} to before {self.before} holds no day")
        return self


class IntegerAnswer(_Rule):
    """The answer must be an integer (DAPO)."""

    name: Literal["integer_answer"]


class Hardest(_Rule):
    """Keep only the hardest share by pass rate (AceCoder: a quarter); ties go by id."""

    name: Literal["hardest"]
    keep: Share = Fraction(1, 4)
    """Share of the measured problems kept, rounded up."""


Rule = Annotated[
    GoldSanity
    | MinTests
    | Unsolved
    | Saturated
    | BandRule
    | FormRule
    | Guessable
    | MajorityDisagrees
    | RankInversion
    | KnownSolutions
    | TestStrength
    | TrivialPasses
    | Flaky
    | Remeasured
    | Difficulty
    | MinStatement
    | Allowed
    | DateWindow
    | IntegerAnswer
    | Hardest,
    Field(discriminator="name"),
]


class Control(Section):
    """A random set as large as what the filters kept, source by source: what the filters are compared with."""

    seed: int = 0
    """Seed of the draw."""


class Filters(Section):
    """Named rules, each decided on its own; a problem is out if any rule drops it."""

    measure: Measure = Measure()
    """Counts that rules about pass rates read."""
    interval: Interval = "wilson"
    """Interval by which evidence is judged."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Confidence of the interval."""
    rules: tuple[Rule, ...] = ()
    """The rules."""
    control: Control | None = None
    """Also draw a control set of equal size."""

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        codes = [code for rule in self.rules for code in rule.codes]
        if twice := sorted({code for code in codes if codes.count(code) > 1}):
            raise ValueError(f"more than one rule decides as {', '.join(twice)}; give each a `reason` of its own")
        return self
