"""Contracts of what an audit of minimized data leaves in the warehouse; every risk in them is empirical."""

from __future__ import annotations

import pyarrow as pa

from schemas.contracts import Between, Column, Contract, InSet, JsonText, NotBlank

__all__ = ["ATTACKS", "AUDIT", "AUDIT_ATTACK", "AUDIT_ATTRIBUTE", "AUDIT_BUCKET", "AUDIT_COLUMN", "AUDIT_LINK"]

ATTACKS = {
    "reconstruction": "The attacker holds what is stored of a person.",
    "high_certainty": "The same attacker names only the people of whom the guess is most certain.",
    "non_personal_knowledge": "The attacker also knows every attribute that is not personal, exactly.",
    "leave_one_out": "The attacker also knows every other attribute, exactly.",
    "partial_personal_knowledge": "The attacker knows the non-personal attributes, and learns the personal ones one "
    "after another, the easiest first.",
    "multi_breach": "The attacker holds several releases of the same people.",
    "linkability": "The attacker links two leaked attributes of one person.",
    "singling_out": "The attacker goes for the people whom no other record resembles.",
}
"""Each attack, and what its attacker has; named as in Staab et al. 2024 (arXiv 2311.10500)."""
_TEXT, _COUNT, _SHARE = pa.string(), pa.int64(), pa.float64()
_ID = Column("audit_id", _TEXT, "Digest of the policy, the settings and the figures.")

AUDIT = Contract(
    name="minimization_audit",
    version="1.0.0",
    doc="One audit of a release: whose data, which policy, and what its groups of like records tell.",
    columns=(
        _ID,
        Column("policy", _TEXT, "Name of the policy."),
        Column("policy_version", _COUNT, "Version of the policy."),
        Column("policy_sha256", _TEXT, "Digest of what the policy does."),
        Column("release", _TEXT, "attribute or cell."),
        Column("records", _COUNT, "Records audited."),
        Column("people", _COUNT, "People in the groups, counted once per group; records where none is named."),
        Column("classes", _COUNT, "Groups of records that what is stored cannot tell apart."),
        Column("smallest_class", _COUNT, "People in the smallest group: the k of k-anonymity."),
        Column("smallest_classes", _COUNT, "Groups of that size."),
        Column("singletons", _COUNT, "Groups of one person."),
        Column("prosecutor_highest", _SHARE, "Risk of the record easiest to find, for whoever knows it is there."),
        Column("prosecutor_average", _SHARE, "Mean of that risk over the records."),
        Column("prosecutor_at_risk", _SHARE, "Share of the records above the threshold."),
        Column("journalist_highest", _SHARE, "The same for whoever knows the population only."),
        Column("journalist_average", _SHARE, "Mean of that risk."),
        Column("journalist_at_risk", _SHARE, "Share of the records above the threshold."),
        Column("marketer", _SHARE, "Share of all records that would be found by matching every one."),
        Column("at_risk_threshold", _SHARE, "Risk above which a record counts as at risk."),
        Column("settings", _TEXT, "JSON object: settings of the audit."),
        Column("versions", _TEXT, "JSON object: versions of the software that measured.", volatile=True),
    ),
    key=("audit_id",),
    rules=(
        NotBlank("policy"),
        InSet("release", ("attribute", "cell")),
        Between("smallest_class", 0),
        Between("prosecutor_highest", 0, 1),
        Between("journalist_highest", 0, 1),
        Between("marketer", 0, 1),
        JsonText("settings"),
        JsonText("versions"),
    ),
)

AUDIT_ATTACK = Contract(
    name="minimization_attack",
    version="1.0.0",
    doc="What one attack learned of one personal attribute: the stronger of a counting and a trained attacker.",
    columns=(
        _ID,
        Column("attack", _TEXT, "Name of the attack."),
        Column("attribute", _TEXT, "Attribute attacked."),
        Column("percent", _COUNT, "Percentage of the most certain guesses scored; 100 for all."),
        Column("step", pa.int64(), "Place in the order of attack, from 1, where earlier ones are known; else 0."),
        Column("records", _COUNT, "Records attacked."),
        Column("majority", _SHARE, "Accuracy of naming the commonest value: needs no release."),
        Column("table", _SHARE, "Accuracy of the counting attacker."),
        Column("trained", _SHARE, "Accuracy of the trained attacker; null if it was not asked for.", nullable=True),
        Column("attacker", _TEXT, "Which of the two was the stronger."),
        Column("accuracy", _SHARE, "Accuracy of the stronger one."),
        Column("low", _SHARE, "Lower end of its confidence interval."),
        Column("high", _SHARE, "Upper end of its confidence interval."),
    ),
    key=("audit_id", "attack", "attribute", "percent"),
    rules=(
        InSet("attack", tuple(ATTACKS)),
        InSet("attacker", ("table", "trained")),
        Between("accuracy", 0, 1),
        Between("low", 0, 1),
        Between("high", 0, 1),
        Between("percent", 0, 100),
    ),
)

AUDIT_LINK = Contract(
    name="minimization_link",
    version="1.0.0",
    doc="How often one leaked attribute of a person is linked to another one.",
    columns=(
        _ID,
        Column("known", _TEXT, "Attribute whose bucket is known."),
        Column("linked", _TEXT, "Attribute that is linked to it."),
        Column("queries", _COUNT, "People tried."),
        Column("rate", _SHARE, "Share of them whose true value of the linked attribute was named."),
        Column("low", _SHARE, "Lower end of its confidence interval."),
        Column("high", _SHARE, "Upper end of its confidence interval."),
        Column("random", _SHARE, "The same share when anybody's record is named."),
    ),
    key=("audit_id", "known", "linked"),
    rules=(Between("rate", 0, 1), Between("random", 0, 1)),
)

AUDIT_ATTRIBUTE = Contract(
    name="minimization_attribute",
    version="1.0.0",
    doc="How well groups of like records hide one personal attribute, counted over all records.",
    columns=(
        _ID,
        Column("attribute", _TEXT, "The personal attribute."),
        Column("distinct_l", _SHARE, "Fewest different values in a group: distinct l-diversity."),
        Column("entropy_l", _SHARE, "Entropy l-diversity of the least diverse group."),
        Column("recursive_c", _SHARE, "(c, 2)-diversity holds for every c above this; null: for none.", nullable=True),
        Column("t", _SHARE, "t-closeness: largest earth mover's distance of a group from everybody."),
        Column("told_for_certain", _SHARE, "Share of the records in groups of one value."),
        Column("majority", _SHARE, "Accuracy of naming the commonest value."),
        Column("reconstruction", _SHARE, "Accuracy of the counting attacker with what is stored."),
        Column("non_personal_knowledge", _SHARE, "The same, knowing what is not personal."),
        Column("leave_one_out", _SHARE, "The same, knowing everything else."),
    ),
    key=("audit_id", "attribute"),
    rules=(Between("distinct_l", 0), Between("t", 0, 1), Between("told_for_certain", 0, 1)),
)

AUDIT_COLUMN = Contract(
    name="minimization_column",
    version="1.0.0",
    doc="What is kept of one raw column and what it is good for, target by target.",
    columns=(
        _ID,
        Column("column", _TEXT, "The raw column."),
        Column("target", _TEXT, "The target that it may help to predict."),
        Column("rule", _TEXT, "interval, map or drop."),
        Column("personal", pa.bool_(), "It is under attack."),
        Column("buckets", _COUNT, "Different things that may be stored of it."),
        Column("told", _SHARE, "Share of the target's entropy that what is stored of it explains, alone."),
        Column("told_raw", _SHARE, "The same for its raw values, numbers by 20 quantiles."),
    ),
    key=("audit_id", "column", "target"),
    rules=(InSet("rule", ("interval", "map", "drop")), Between("told", 0, 1), Between("told_raw", 0, 1)),
)

AUDIT_BUCKET = Contract(
    name="minimization_bucket",
    version="1.0.0",
    doc="Lineage from raw values to what is stored: each bucket, what it stands for, and how many are in it.",
    columns=(
        _ID,
        Column("column", _TEXT, "Raw column; cell where one cell is stored of a record."),
        Column("bucket", _TEXT, "What is stored."),
        Column("label", _TEXT, "Raw values that it stands for."),
        Column("records", _COUNT, "Records in it."),
        Column("share", _SHARE, "Their share."),
    ),
    key=("audit_id", "column", "bucket"),
    rules=(Between("records", 0), Between("share", 0, 1)),
)
