"""What a person asks of the search for a minimization policy: the data, the trade, the limits, the grid."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.recipe.base import Section

__all__ = ["DATAMIN", "Choice", "Fit", "Release", "SampleSize", "Sweep"]

DATAMIN = "datamin-0736fd2"
"""The authors' code of March 2024, whose behaviour `Fit.compat` reproduces."""
Release = Literal["attribute", "cell"]
Share = Annotated[float, Field(gt=0, lt=1)]
Alpha = Annotated[float, Field(ge=0, le=1)]
Leaves = Annotated[int, Field(ge=1, le=4_096)]


class Fit(Section):
    """One search for a policy over a full-resolution sample."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "policy"
    """Name of the policy."""
    purpose: str = "prediction of the targets"
    """What the minimized data are for, in a sentence."""
    legal_basis: str | None = None
    """Why the data may be processed, such as "consent (GDPR art. 6(1)(a))"."""
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    """Columns that the data must still predict; each may have several classes."""
    personal: tuple[str, ...] | None = None
    """Attributes that must stay hard to infer; by default every attribute that is not a number or a date and does not
    tell people apart, as ids do."""
    passthrough: tuple[str, ...] = ()
    """Further columns that are stored as they come and not learned from, such as ids."""
    never: tuple[str, ...] = ()
    """Attributes of which nothing may be stored, though what others tell of them counts if they are personal."""
    client: str | None = None
    """Column that says whose row it is; groups are then counted in clients, and no client is split between folds."""
    weight: str | None = None
    """Column of row weights, positive; a weight of n is n equal rows."""
    categorical: tuple[str, ...] = ()
    """Integer columns whose numbers are names."""
    alpha: Alpha = 0.5
    """Exchange rate: 0 looks at the targets only, 1 at the personal attributes only."""
    max_leaf_nodes: Leaves = 20
    """Leaves of the tree, at most."""
    min_samples_leaf: Annotated[int, Field(ge=1)] = 100
    """Fewest rows (clients, where `client` is given) in a leaf."""
    smallest_group: Annotated[int, Field(ge=0)] = 0
    """Fewest rows (clients) of the sample that may share what is stored; buckets are merged until it holds."""
    release: Release = "attribute"
    """``attribute`` stores a bucket per attribute, ``cell`` the leaf of the tree."""
    leakage: Literal["mean", "worst"] = "mean"
    """Over the personal attributes: their weighted mean, or the one that is told most."""
    leakage_weights: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Weights of personal attributes, 1 where none is given."""
    search: Literal["best", "greedy"] = "best"
    """``best`` also looks ahead for interactions and prunes larger trees; ``greedy`` grows best-first, as published."""
    compat: Literal["datamin-0736fd2"] | None = None
    """Reproduces the defects of the authors' released code, for runs beside it; it implies the greedy search."""
    max_bins: Annotated[int, Field(ge=2, le=65_000)] = 256
    """A column of more distinct values is cut at this many quantiles first. Of more names, unless they are personal,
    the commonest are kept, and the others share a bucket with those that the sample does not have."""
    personal_bins: Annotated[int, Field(ge=2, le=16)] = 16
    """Quantile codes of a personal attribute that is a number or a date."""
    max_classes: Annotated[int, Field(ge=2)] = 100
    """Most classes of a target."""
    engine: Literal["memory", "duckdb", "spark"] = "memory"
    """Where the sample is counted: in memory, out of core, or on a cluster; the policy is the same."""
    scratch: str | None = None
    """Folder for the coded sample of the engines `duckdb` and `spark`; one that all executors can read. By default the
    system's."""
    seed: Annotated[int, Field(ge=0)] = 43
    """Seed of the draw of look-ahead rows and of folds."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        roles = [*self.targets, *self.passthrough, *filter(None, (self.client, self.weight))]
        both = (
            {self.client}
            if self.client in self.passthrough and self.client not in (*self.targets, self.weight)
            else set()
        )
        twice = {name for name in roles if roles.count(name) > 1} - both
        if repeated := sorted({name for name in self.personal or () if (self.personal or ()).count(name) > 1}):
            raise ValueError(f"personal names {', '.join(repeated)} twice")
        if twice:
            raise ValueError(f"{', '.join(sorted(twice))} has two roles; give each column one")
        unknown = set(self.leakage_weights) - set(self.personal or self.leakage_weights)
        if unknown:
            raise ValueError(f"leakage_weights names {', '.join(sorted(unknown))}, which `personal` does not")
        return self


class Choice(Section):
    """A point of the sweep that a person prefers to the rule's."""

    alpha: Alpha
    """Exchange rate."""
    leaves: Leaves
    """Budget of leaves."""
    release: Release
    """Form of release."""
    exchange: Annotated[float, Field(ge=0, le=1)] | None = None
    """Weight by which buckets were merged; none if they were not."""


class Sweep(Section):
    """Many searches over (alpha, leaves, release), chosen among and reported on by rows that none of them saw."""

    fit: Fit
    """What all have in common; its `alpha`, `max_leaf_nodes` and `release` are replaced."""
    alphas: Annotated[tuple[Alpha, ...], Field(min_length=1)] = (
        0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9,
    )  # fmt: skip
    """Exchange rates tried."""
    leaves: Annotated[tuple[Leaves, ...], Field(min_length=1)] = (2, 4, 8, 12, 20, 50)
    """Budgets of leaves tried."""
    releases: Annotated[tuple[Release, ...], Field(min_length=1)] = ("attribute", "cell")
    """Forms of release tried."""
    exchanges: tuple[Annotated[float, Field(ge=0, le=1)], ...] = (
        0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3,
    )  # fmt: skip
    """Merges tried, of buckets (attribute releases) and of leaves (cell releases): weight of personal values guessed
    right against errors of the task; none for trees alone."""
    merged_alphas: tuple[Alpha, ...] = (0, 0.5)
    """Exchange rates of the large trees whose buckets and leaves are merged."""
    merged_leaves: Leaves = 200
    """Budget of those trees."""
    merged_min_samples_leaf: Annotated[int, Field(ge=1)] = 10
    """Fewest rows (clients) in a leaf of the trees whose buckets are merged, where that is less than `fit` says: what
    is released are the merged buckets, of which `smallest_group` still holds."""
    test_share: Share = 0.33
    """Share of the rows (clients) on which error and risk are reported; neither search nor pick sees them."""
    validation_share: Share = 0.2
    """Share of the other rows (clients) by which the front and the pick are chosen; no search sees them."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """The pick has the least risk among those whose error is within this much of the raw data's, on validation rows."""
    standard_errors: Annotated[float, Field(ge=0)] = 1.0
    """Where this many standard errors of the difference between the two errors are more, they are the tolerance: few
    validation rows cannot tell smaller differences from chance. 0 for the tolerance alone."""
    choice: Choice | None = None
    """A person's choice instead of the rule's."""


class SampleSize(Section):
    """How much full-resolution data is enough: grow the sample until the policy stays as it is."""

    fit: Fit
    """The search that is repeated."""
    shares: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=2)] = (
        0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0,
    )  # fmt: skip
    """Growing shares of the rows (clients); each contains the one before."""
    eps: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Enough is where the similarity to the policy before is at least 1 - eps."""

    @model_validator(mode="after")
    def _growing(self) -> Self:
        if list(self.shares) != sorted(set(self.shares)):
            raise ValueError("shares must rise strictly")
        return self
