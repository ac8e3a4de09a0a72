"""A newcomer's way on the command line: from a CSV file to a policy, minimized records, and an audit report."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from privacy.minimize.policy import Policy
from tests.flows.conftest import ROOT, Ran

Ask = Callable[..., Ran]
_CLIENTS = ROOT / "examples" / "clients.csv"
_GRID = {
    "fit": {"targets": ["churned"], "client": "client", "id": "churn", "min_samples_leaf": 50},
    "alphas": [0.5],
    "leaves": [4, 8],
    "merged_alphas": [],
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit file with a small grid."""
    path = tmp_path_factory.mktemp("config") / "fit.yaml"
    path.write_text(yaml.safe_dump(_GRID))
    return path


@pytest.fixture
def policy(tmp_path: Path, ask: Ask) -> Path:
    """What `fit` finds for the demo's clients, without a sweep."""
    path = tmp_path / "churn.yaml"
    options = ("--target", "churned", "--client", "client", "--alpha", "0.5", "--leaves", "8")
    ran = ask("minimize", "fit", _CLIENTS, *options, "--out", path)
    assert 0 == ran.code, ran.err
    return path


def test_fit_finds_what_was_planted(policy: Path) -> None:
    """Of eight attributes four are told, at the planted thresholds; what says nothing is dropped."""
    found = Policy.load(policy)

    assert {"age", "contract", "months", "calls"} == set(found.kept)
    assert ("64.5",) == found.columns["age"].borders
    assert "17.5" in found.columns["months"].borders
    assert ("monthly",) == found.columns["contract"].buckets["g0"]


def test_fit_tells_which_columns_identify(tmp_path: Path, ask: Ask) -> None:
    """Ids that were not called the client's are dropped, aloud; what says something is found as before."""
    path = tmp_path / "p.yaml"
    ran = ask("minimize", "fit", _CLIENTS, "--target", "churned", "--alpha", "0.5", "--leaves", "8", "--out", path)

    assert "Nothing is learned from or stored of client: most people have a value to themselves." in ran.out
    assert {"age", "contract", "months", "calls"} == set(Policy.load(path).kept)


def test_fit_tells_the_front_and_the_rule(tmp_path: Path, config: Path, ask: Ask) -> None:
    """The table of policies that no other beats, the pick and its rule, and a list of all that were tried."""
    listed = tmp_path / "tried.csv"
    ran = ask("minimize", "fit", _CLIENTS, "--config", config, "--out", tmp_path / "p.yaml", "--table", listed)

    assert 0 == ran.code
    assert "Policies that no other of their release beats" in ran.out
    assert "→" in ran.out
    assert "Picked: least risk with an error within 0.01 of the raw data's" in ran.out
    tried = pl.read_csv(listed)
    assert 1 == tried["picked"].sum()
    assert {"attribute", "cell"} == set(tried["release"])
    learned = Policy.load(tmp_path / "p.yaml").fit
    assert (4_000, 4_000) == (learned.sample_rows, learned.sample_clients)
    assert 0 < learned.settings["learned_rows"] < 4_000


def test_fit_says_that_guessing_does_as_well(tmp_path: Path, config: Path, ask: Ask) -> None:
    """With a tolerance so wide that nothing need be stored, the way to count a rare class is told."""
    options = ("--config", config, "--release", "cell", "--tolerance", "0.5", "--out", tmp_path / "p.yaml")

    assert "Guessing is within the tolerance of the raw data" in ask("minimize", "fit", _CLIENTS, *options).out


def test_one_policy_is_learned_without_a_sweep(tmp_path: Path, ask: Ask) -> None:
    """Exchange rate and leaves given, nothing is swept, and the file says with what it was learned."""
    path = tmp_path / "p.yaml"
    options = ("--target", "churned", "--client", "client", "--alpha", "0.3", "--leaves", "6", "--release", "cell")
    ran = ask("minimize", "fit", _CLIENTS, *options, "--drop", "gender", "--out", path, "--json")

    assert [] == ran.json["front"]
    assert ("cell", 0.3) == (Policy.load(path).release, Policy.load(path).fit.settings["alpha"])
    assert "drop" == Policy.load(path).columns["gender"].kind


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--client", "client"), "options:1: fit.targets: "),
        (("--target", "churned", "--client", "churned"), "churned has two roles"),
        (("--target", "churnd"), "'churnd'"),
        (("--target", "churned", "--alpha", "0.5"), "--alpha and --leaves choose one policy together"),
    ],
)
def test_a_wrong_request_is_named(tmp_path: Path, ask: Ask, options: tuple[str, ...], said: str) -> None:
    """No target, two roles, a column that is not there, half a choice: one line and a hint, exit status 2."""
    ran = ask("minimize", "fit", _CLIENTS, *options, "--out", tmp_path / "p.yaml")

    assert 2 == ran.code
    assert said in ran.err
    assert not (tmp_path / "p.yaml").exists()


def test_show_says_what_is_stored_and_what_is_not(policy: Path, ask: Ask) -> None:
    """For people as tables and as Markdown, for machines as JSON."""
    shown, told = ask("minimize", "show", policy).out, ask("minimize", "show", policy, "--json").json

    assert "> 64" in shown
    assert "not needed for the purpose" in shown
    assert "| column | bucket | stands for |" in ask("minimize", "show", policy, "--markdown").out
    assert Policy.load(policy).digest == told["sha256"]


def test_apply_writes_buckets_and_refuses_drift(tmp_path: Path, policy: Path, ask: Ask) -> None:
    """The records' buckets are written; a file of another shape is refused with exit status 3."""
    done = ask("minimize", "apply", policy, _CLIENTS, "--to", tmp_path / "out.csv", "--json")
    other = tmp_path / "other.csv"
    other.write_text(_CLIENTS.read_text().replace("\nK00000,22", "\nK00000,twenty", 1))
    refused = ask("minimize", "apply", policy, other, "--to", tmp_path / "no.csv")

    assert 4_000 == done.json["rows"]
    assert {"b0", "b1"} == set(pl.read_csv(tmp_path / "out.csv")["age"])
    assert 3 == refused.code
    assert f"{other}: row 1: column 'age': a value is not of type int" in refused.err
    assert "twenty" not in refused.err


def test_the_compiled_file_does_on_a_device_what_apply_does(tmp_path: Path, policy: Path, ask: Ask) -> None:
    """Records whose target is not known yet, on Python's standard library alone."""
    device, raw = tmp_path / "device.py", tmp_path / "new.csv"
    compiled = ask("minimize", "compile", policy, "--to", "python", "--out", device, "--without-targets")
    pl.read_csv(_CLIENTS, infer_schema=False).drop("churned").head(50).write_csv(raw)
    applied = ask("minimize", "apply", policy, raw, "--to", tmp_path / "out.csv", "--without-targets")
    ran = subprocess.run([sys.executable, "-I", device], input=raw.read_bytes(), capture_output=True, check=True)

    assert (0, 0) == (compiled.code, applied.code)
    assert list(csv.reader(ran.stdout.decode().splitlines())) == list(
        csv.reader((tmp_path / "out.csv").read_text().splitlines())
    )


def test_alternatives_are_those_of_a_fit(tmp_path: Path, policy: Path, ask: Ask) -> None:
    """Another table is named with what it lacks, before anything is attacked."""
    (tmp_path / "tried.csv").write_text("release,leaves\ncell,4\n")
    ran = ask("minimize", "audit", policy, _CLIENTS, "--counting", "--alternatives", tmp_path / "tried.csv")

    assert (3, True, True) == (ran.code, "has no column alpha, error, risk" in ran.err, "fit --table" in ran.err)


def test_code_that_cannot_be_written_is_an_error(tmp_path: Path, policy: Path, ask: Ask) -> None:
    """A file in the place of a folder is told in a line; a folder that is not there is made."""
    (tmp_path / "file").write_text("")
    refused = ask("minimize", "compile", policy, "--to", "sql", "--out", tmp_path / "file" / "policy.sql")
    assert (3, True) == (refused.code, "cannot be written" in refused.err)

    assert 0 == ask("minimize", "compile", policy, "--to", "sql", "--out", tmp_path / "new" / "policy.sql").code
    assert (tmp_path / "new" / "policy.sql").read_text().startswith("-- policy")


def test_a_person_revises_a_policy_and_is_told_whether_it_coarsens(tmp_path: Path, policy: Path, ask: Ask) -> None:
    """An edited file is refused until it is revised; a finer version is told apart from a coarser one."""
    edited, revised = tmp_path / "edited.yaml", tmp_path / "v2.yaml"
    edited.write_text(policy.read_text().replace("borders: [64.5]", "borders: [44.5, 64.5]"))

    assert 2 == ask("minimize", "show", edited).code
    ran = ask("minimize", "revise", edited, "--of", policy, "--out", revised)
    joint = ask("minimize", "diff", policy, revised, "--records", _CLIENTS, "--counting")
    back = ask("minimize", "diff", revised, policy, "--json").json

    assert "column 'age' is finer: b0 (≤ 64" in ran.out
    assert (2, Policy.load(policy).digest) == (Policy.load(revised).version, Policy.load(revised).parent)
    assert "What attackers guess who hold both releases" in joint.out
    assert back["coarsens"]
    assert ["age"] == [change["column"] for change in back["changes"] if change["verdict"] == "coarser"]


def test_audit_reports_and_records_the_risk(tmp_path: Path, policy: Path, ask: Ask) -> None:
    """Attacks in a table, a report in a folder, the main figures in the policy, whose hash stays."""
    before = Policy.load(policy).digest
    options = ("--counting", "--report", tmp_path / "report", "--record", "--personal", "gender", "--personal", "job")
    ran = ask("minimize", "audit", policy, _CLIENTS, *options)

    assert 0 == ran.code, ran.err
    assert "reconstruction" in ran.out
    assert (tmp_path / "report" / "audit.html").exists()
    assert before == Policy.load(policy).digest
    assert "reconstruction" in Policy.load(policy).risk


def test_audit_tables_are_asked_in_sql(tmp_path: Path, policy: Path, ask: Ask) -> None:
    """Each table is a dataset; the same audit again makes no version, another one the next."""
    root = tmp_path / "warehouse"
    asked = ("minimize", "audit", policy, _CLIENTS, "--counting", "--name", "churn", "-w", root, "--personal", "gender")
    first = ask(*asked, "--json")
    ask(*asked)
    both = ask(*asked, "--personal", "job")

    assert 0 == both.code, both.err
    assert "tables   churn_audit@" in both.out
    kinds = ("audit", "attack", "link", "attribute", "column", "bucket")
    assert {f"churn_{kind}": "1.0.0" for kind in kinds} == first.json["datasets"]
    told = "SELECT attribute, accuracy FROM 'churn_attack@1.0.0' WHERE attack = 'reconstruction'"
    [row] = ask("sql", told, "-w", root, "--json").json
    [found] = [one for one in first.json["attacks"] if one["attack"] == "reconstruction"]
    assert ("gender", found["accuracy"]) == (row["attribute"], row["accuracy"])
    everybody = ask("sql", "SELECT DISTINCT attribute FROM churn_attack ORDER BY 1", "-w", root, "--json").json
    assert ["gender", "job"] == [one["attribute"] for one in everybody]
    assert 2 == len(ask("show", "churn_attack", "-w", root, "--json").json["versions"])
    assert 0 == ask("audit", "churn_attack", "-w", root).code


def test_a_name_that_no_dataset_may_have_is_refused_first(tmp_path: Path, policy: Path, ask: Ask) -> None:
    """Before any attack, and without a file of the warehouse written."""
    ran = ask("minimize", "audit", policy, tmp_path / "none.csv", "--name", "a b", "-w", tmp_path / "warehouse")

    assert (2, True) == (ran.code, "cannot name a dataset" in ran.err)
    assert not (tmp_path / "warehouse").exists()


def test_the_json_schemas_of_both_files_are_printed(ask: Ask) -> None:
    """What a person may write, key by key."""
    assert "on_unseen" in ask("schema", "policy").out
    assert "smallest_group" in ask("schema", "fit").out
