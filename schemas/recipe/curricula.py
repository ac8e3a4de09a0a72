"""The ``curricula`` section of a recipe: DRIVE, and plain orderings by difficulty.

What the DRIVE paper (arXiv 2511.06307) does not say is a setting here; `curation.drive.deviations` lists each with
what was chosen.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.recipe.base import Section
from schemas.recipe.measures import Band, Measure, Share

__all__ = ["Arena", "Curricula", "Drive", "DriveSft", "DriveStage1", "DriveStage2", "Plain", "Weighted"]

FOLDS = 5
_LATER = FOLDS - 1


class Arena(Section):
    """Five-fold arena learning over recorded predictions: a fold's model is asked about the next fold."""

    predictors: tuple[Measure, ...] = Field(min_length=_LATER, max_length=_LATER)
    """Counts of the models asked about folds 2, 3, 4 and 5, in this order."""
    keep_first_fold: bool = True
    """Keep fold 1 whole; it is only trained on, never predicted."""
    fail_by: Literal["verifier", "judge"] = "verifier"
    """Whose word a failure is: the verifier's, or a judge's recorded under `judge_version`."""
    judge_version: str | None = None
    """``verifier_version`` under which the judge's verdicts were recorded."""
    fail_at_most: Share = Fraction(0)
    """A fold's model fails a problem if its pass rate is at most this."""
    training: Literal["continue", "restart"] = "continue"
    """Whether each fold's model is trained on from the one before, or from the base model."""
    unpredicted: Literal["keep", "leave_out"] = "keep"
    """What becomes of problems of folds 2 to 5 without a recorded prediction."""
    seed: int = 0
    """Seed of the split into folds."""

    @model_validator(mode="after")
    def _judged(self) -> Self:
        if (self.fail_by == "judge") != (self.judge_version is not None):
            raise ValueError("`judge_version` goes with `fail_by: judge`, and only with it")
        return self


class DriveSft(Section):
    """The supervised stage: which prompts, and which of them twice."""

    labels: str = "pass_rates"
    """``pass_rates``, or the name of a classifier installed under the entry-point group ``sluice.difficulty``."""
    arena: Arena | None = None
    """Condense by arena learning first; left out, all prompts stay."""
    hard_by: Literal["labels", "arena", "either", "both"] = "labels"
    """Who says that a prompt is hard, and so comes twice: the labels, the arena, either or both."""
    copies: int = Field(default=2, ge=1)
    """Exposures of a hard prompt."""
    seed: int = 0
    """Seed of the order of rows."""

    @model_validator(mode="after")
    def _arena_named(self) -> Self:
        if self.hard_by != "labels" and self.arena is None:
            raise ValueError(f"`hard_by: {self.hard_by}` needs `arena`")
        return self


class DriveStage1(Section):
    """Entropy expansion: a uniform draw of medium prompts."""

    size: int = Field(default=9000, ge=1)
    """Prompts to draw."""
    difficulty_bins: int = Field(default=3, ge=1)
    """Equal slices of the medium band that count as strata."""
    by_source: bool = True
    """Take sources as strata."""
    by_tag: bool = True
    """Take the first tag as a stratum."""
    sources: tuple[str, ...] = ()
    """Sources to draw from; empty means all."""
    rollouts: int = Field(default=8, ge=2)
    """Answers per prompt in training."""
    max_total_tokens: int = Field(default=24576, ge=1)
    """Longest prompt and answer together."""
    steps: int = Field(default=32, ge=1)
    """Training steps."""
    seed: int = 0
    """Seed of the draw and of the order."""


class DriveStage2(Section):
    """Hard-focus curriculum: Pre-GRPO keeps the lowest pass rates from phase to phase."""

    pool_size: int = Field(default=175, ge=1)
    """Size of the pool for which `sizes` were published."""
    sizes: tuple[int, ...] = (72, 50, 25)
    """Prompts kept for each phase."""
    steps: tuple[int, ...] = (64, 32, 32)
    """Training steps of each phase."""
    retention: Literal["auto", "absolute", "fraction"] = "auto"
    """``absolute`` keeps `sizes`, ``fraction`` the same shares rounded up, ``auto`` the latter on smaller pools."""
    sources: tuple[str, ...] = ()
    """Sources of the pool; empty means all."""
    min_tests: int = Field(default=1, ge=1)
    """Fewest tests of a pool problem."""
    unsolved: Literal["keep", "leave_out"] = "keep"
    """Whether problems that nobody solved stay in the pool."""
    rank_by: Literal["all_pass", "tests"] = "all_pass"
    """Rank by the share of answers that pass every test, or by the share of tests passed."""
    rollouts: int = Field(default=64, ge=2)
    """Answers per prompt, in training and in re-measuring."""
    max_total_tokens: int = Field(default=32768, ge=1)
    """Longest prompt and answer together."""
    measure: Measure | None = None
    """Counts of the checkpoint that starts phase 1; `Drive.measure` if left out."""
    remeasured: Literal["required", "optional"] = "required"
    """Whether a next phase must be ranked by another checkpoint than the phase before."""

    @model_validator(mode="after")
    def _phases(self) -> Self:
        if not self.sizes or len(self.sizes) != len(self.steps):
            raise ValueError(f"{len(self.sizes)} sizes and {len(self.steps)} steps; each phase needs one of both")
        chain = (self.pool_size, *self.sizes)
        if min(chain) < 1 or list(chain) != sorted(chain, reverse=True):
            raise ValueError(f"sizes must not grow from the pool on and must be positive; received {list(chain)}")
        return self


class Drive(Section):
    """DRIVE, arXiv 2511.06307: supervised stage, entropy expansion, hard-focus curriculum."""

    measure: Measure = Measure()
    """Counts that labels, bands and the first ranking read."""
    medium: Band = Band(low=Fraction(1, 5), high=Fraction(4, 5))
    """Medium pass rates; below it is hard, above it is easy."""
    reward: Literal["all_pass", "fraction"] = "all_pass"
    """Reward of an answer: 1 if every test passes, or the share of tests passed."""
    sft: DriveSft | None = DriveSft()
    """The supervised stage; null leaves it out."""
    stage1: DriveStage1 | None = DriveStage1()
    """Entropy expansion; null leaves it out."""
    stage2: DriveStage2 | None = DriveStage2()
    """Hard-focus curriculum; null leaves it out."""


class Weighted(Section):
    """A draw without replacement, likelier for some pass rates."""

    size: int = Field(ge=1)
    """Problems to draw."""
    by: Literal["spo", "spo_paper", "kimi", "gaussian"] = "kimi"
    """Weight: SPO as released or as published, Kimi k1.5's 1 - pass rate, or a Gaussian over the pass rate."""
    mean: Share = Fraction(1, 2)
    """Centre of the Gaussian."""
    deviation: float = Field(default=0.2, gt=0)
    """Standard deviation of the Gaussian."""
    highest: float = Field(default=1.0, gt=0, le=1)
    """Kimi weights are cut at this value, so that never-solved problems do not crowd out the rest."""
    gamma: float = Field(default=0.5, ge=0)
    """Exponent of the effective number of samples in SPO as published."""


class Plain(Section):
    """Everything that survived the filters, in one order."""

    name: str = Field(default="bands", pattern=r"^[a-z][a-z0-9_]*$")
    """Name of the curriculum."""
    measure: Measure = Measure()
    """Counts that order and bands read."""
    medium: Band = Band(low=Fraction(1, 5), high=Fraction(4, 5))
    """Medium pass rates; below it is hard, above it is easy."""
    order: Literal["easy_to_hard", "hard_to_easy", "shuffled"] = "easy_to_hard"
    """Order of the rows; ties go by id, never-measured problems come last."""
    draw: Weighted | None = None
    """Keep only a weighted draw."""
    seed: int = 0
    """Seed of shuffle and draw."""
    rollouts: int = Field(default=8, ge=2)
    """Answers per prompt in training."""
    max_total_tokens: int = Field(default=32768, ge=1)
    """Longest prompt and answer together."""


class Curricula(Section):
    """Which curricula to lay out over the surviving problems."""

    drive: Drive | None = None
    """DRIVE."""
    plain: tuple[Plain, ...] = ()
    """Plain orderings."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        names = [plain.name for plain in self.plain] + ["drive"] * (self.drive is not None)
        if not names:
            raise ValueError("name at least one curriculum: `drive`, or an entry of `plain`")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"curricula share the name {', '.join(twice)}; give each its own")
        return self
