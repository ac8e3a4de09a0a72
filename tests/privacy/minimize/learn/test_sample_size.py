"""The sample-size rule: enough is where the policy stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from privacy.minimize.learn import enough
from privacy.minimize.learn.binning import Binning
from privacy.minimize.learn.generalize import Generalization
from privacy.minimize.learn.sample_size import similarity
from schemas.minimize import Fit, SampleSize
from tests.privacy.minimize.learn.tables import planted

PLAIN = Fit(targets=("y",), personal=("sex",), min_samples_leaf=20, max_leaf_nodes=4, alpha=0.3)


def test_planted_policy_settles_early():
    """A clear policy is learned from part of the sample, and the steps stand in it."""
    found = enough(planted(8_000), SampleSize(fit=PLAIN))
    assert found.settled
    assert found.steps[-1].share < 1
    assert found.steps[-1].similarity >= 0.9
    assert [step.rows for step in found.steps] == sorted(step.rows for step in found.steps)
    assert found.policy.fit.sample_rows == found.steps[-1].rows
    assert [step.share for step in found.steps] == [one["share"] for one in found.policy.fit.settings["sample_size"]]


def test_order_of_rows_changes_nothing():
    """The shares are drawn by content."""
    table = planted(3_000)
    one, other = (enough(rows, SampleSize(fit=PLAIN)) for rows in (table, table.reverse()))
    assert (one.steps, one.policy.digest) == (other.steps, other.policy.digest)


def test_clients_are_drawn_whole():
    """A share is one of clients: all of a client's rows are in it or none."""
    table = planted(3_000).with_row_index("who").with_columns(who=np.arange(3_000) // 3)
    found = enough(table, SampleSize(fit=PLAIN.model_copy(update={"client": "who"})))
    assert all(step.rows % 3 == 0 for step in found.steps)
    assert found.policy.fit.sample_clients == found.steps[-1].rows // 3


def test_similarity_is_the_worked_one():
    """{a,b}{c} against {a}{b,c}: a shares 1/2, b 1/3, c 1/2 of its bucket, so 4/9; and 1 with itself."""
    binning = Binning.learn(planted(200).filter(planted(200)["job"] != "nurse").select("job", "y").lazy(), PLAIN_JOB)
    one, other = (Generalization(binning.layout, (np.array(buckets),)) for buckets in ([0, 0, 1], [0, 1, 1]))
    assert (4 / 9, 1.0) == (pytest.approx(similarity(one, other)), similarity(one, one))


PLAIN_JOB = Fit(targets=("y",), personal=("job",))


def test_shares_must_rise():
    """Shares that fall are refused."""
    with pytest.raises(ValidationError, match="rise"):
        SampleSize(fit=PLAIN, shares=(0.5, 0.2))
