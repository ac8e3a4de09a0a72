"""The stage read: files in, problems and named rejections out."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.sources.resolve import fingerprint
from curation.sources.stage import READ
from curation.verify.problems import parse
from schemas.errors import InputError, UsageError
from schemas.recipe.sources import Dataset, Limits, Source, Sources, Where
from schemas.records import PROBLEM
from tests.strategies import json_values
from warehouse.runner import run_stage
from warehouse.stages import Services, Workspace


def problems(*numbers):
    """Return rows of GSM8K."""
    return [{"question": f"What is {n} plus one?", "answer": f"Add.\n#### {n + 1}"} for n in numbers]


def written(path, rows):
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def source(path, name="s", kind="gsm8k", **changes):
    """Return a source of one path."""
    return Source(name=name, kind=kind, path=str(path), **changes)


def run(services, folder, *sources, **limits):
    """Read sources, and return the run with its rows and rejections."""
    config = fingerprint(Sources(sources=sources, limits=Limits(**limits)), folder)
    done = run_stage(READ, {}, config, services)
    scans = (services.workspace.scan(done.tables[name]).collect() for name in ("rows", "rejections"))
    return done, *scans


def test_conservation(services, tmp_path):
    """Every row of a file is a problem or a rejection with its file, line and reason."""
    lines = [*map(json.dumps, problems(1, 2)), "{", "3", json.dumps({"question": None, "answer": "#### 1"})]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, *map(json.dumps, problems(2, 3))]))
    done, rows, rejections = run(services, tmp_path, source("a.jsonl"))
    assert {"in": 7, "kept": 3, "dropped": {}, "failed": 0, "rejected": 4} == done.counts
    expected = [(3, "not_json"), (4, "wrong_type"), (5, "null_prompt"), (6, "duplicate_id")]
    assert expected == sorted(rejections.select("line", "reason").rows())
    assert {"a.jsonl"} == set(rejections["file"])
    assert PROBLEM.names == rows.columns


def test_duplicate_ids_name_their_witness(services, tmp_path):
    """Of equal problems in two sources the first source's is kept, and the rejection says where it stands."""
    written(tmp_path / "b.jsonl", problems(1, 2))
    written(tmp_path / "a.jsonl", problems(3, 2))
    _, rows, rejections = run(services, tmp_path, source("b.jsonl", "first"), source("a.jsonl", "second"))
    assert {"first": 2, "second": 1} == Counter(rows["source"])
    (rejection,) = rejections.rows(named=True)
    assert ("second", 2, "duplicate_id") == (rejection["source"], rejection["line"], rejection["reason"])
    assert "b.jsonl:2" in rejection["detail"]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".json", ".csv", ".parquet"])
def test_formats_agree(services, tmp_path, suffix):
    """The same rows give the same problems in every format."""
    rows = problems(*range(20))
    path = tmp_path / f"a{suffix}"
    if suffix == ".jsonl.gz":
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    elif suffix == ".json":
        path.write_text(json.dumps(rows))
    elif suffix == ".jsonl":
        written(path, rows)
    else:
        getattr(pl.DataFrame(rows), f"write_{suffix[1:]}")(path)
    _, found, rejections = run(services, tmp_path, source(path.name))
    written(tmp_path / "plain.jsonl", rows)
    _, plain, _ = run(services, tmp_path, source("plain.jsonl"))
    assert (sorted(plain["problem_id"]), 0) == (sorted(found["problem_id"]), rejections.height)


def test_a_100_mb_prompt_is_a_rejection(services, tmp_path):
    """A row beyond the limit is named and the rows around it are read."""
    path = written(tmp_path / "a.jsonl", problems(1))
    with path.open("a") as stream:
        stream.write('{"question": "')
        for _ in range(100):
            stream.write("x" * 1_000_000)
        stream.write('", "answer": "#### 1"}\n')
        stream.write(json.dumps(problems(2)[0]))
    done, _, rejections = run(services, tmp_path, source("a.jsonl"))
    assert (2, ["row_too_large"]) == (done.counts["kept"], rejections["reason"].to_list())


def test_mixed_encodings(services, tmp_path):
    """Lines of another encoding among UTF-8 ones are rejections at their lines."""
    lines = [json.dumps({**row, "question": "é" + row["question"]}, ensure_ascii=False) for row in problems(1, 2, 3)]
    data = [lines[0].encode(), lines[1].encode("latin-1"), lines[2].encode()]
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\n".join(data))
    _, rows, rejections = run(services, tmp_path, source("a.jsonl"))
    assert (2, [(2, "invalid_text")]) == (rows.height, rejections.select("line", "reason").rows())


def test_where_selects_rows(services, tmp_path):
    """Rows outside the recipe's selection are recorded as such."""
    rows = [{**row, "id": number, "day": f"2024-0{number}-01"} for number, row in enumerate(problems(1, 2, 3, 4), 1)]
    written(tmp_path / "a.jsonl", rows)
    by_number, by_day = Where(column="id", low=2, high=3), Where(column="day", low="2024-02-01", values=("2024-03-01",))
    counts = [run(services, tmp_path, source("a.jsonl", where=where))[0].counts for where in (by_number, by_day)]
    assert [(2, 2), (1, 3)] == [(count["kept"], count["rejected"]) for count in counts]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.jsonl", None, "nothing is there"),
        ("empty.jsonl", "", "is empty"),
        ("empty.json", "[]", "is empty"),
        ("bad.jsonl", "{\n{\n", "no usable row in bad.jsonl: 2 not_json"),
        ("a.xml", "<a/>", "no known format"),
    ],
)
def test_nothing_to_read(services, tmp_path, name, content, message):
    """A source that is missing, empty, of no known format or wholly rejected is an error that names the file."""
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        run(services, tmp_path, source(name))
    assert name in caught.value.message
    assert caught.value.hint


def test_unknown_kind_suggests_the_nearest(tmp_path):
    """A misspelt kind is an error before anything is read."""
    written(tmp_path / "a.jsonl", problems(1))
    with pytest.raises(UsageError, match="did you mean 'gsm8k'"):
        fingerprint(Sources(sources=(source("a.jsonl", kind="gsm8"),)), tmp_path)


def test_plug_in(services, tmp_path, monkeypatch):
    """An installed package brings a layout by its entry point, and cannot take the name of the house's own."""
    (tmp_path / "plugged.py").write_text(
        "from curation.sources.drafts import Draft\n"
        "def read(row, source):\n"
        "    return Draft(row['q'], {'kind': 'exact'}, [{'answer': row['a']}], source_id='x')\n"
    )
    info = tmp_path / "plugged-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[sluice.sources]\nriddles = plugged:read\ngsm8k = plugged:read\n")
    monkeypatch.syspath_prepend(tmp_path)
    written(tmp_path / "a.jsonl", [{"q": "Why?", "a": "So."}])
    _, rows, _ = run(services, tmp_path, source("a.jsonl", kind="riddles"))
    assert [("Why?", "x")] == [(row["prompt"][0]["content"], row["source_id"]) for row in rows.rows(named=True)]
    with pytest.raises(InputError, match="missing_field"):
        run(services, tmp_path, source("a.jsonl", kind="gsm8k"))


def test_folders_and_patterns(services, tmp_path):
    """A folder and a pattern give all their files in name order; other files in a folder are passed over."""
    (tmp_path / "data" / "more").mkdir(parents=True)
    written(tmp_path / "data" / "b.jsonl", problems(1))
    written(tmp_path / "data" / "more" / "a.jsonl", problems(2))
    (tmp_path / "data" / "README").write_text("read me")
    counts = [
        run(services, tmp_path, source(path))[0].counts["kept"] for path in ("data", "data/**/*.jsonl", "data/*.jsonl")
    ]
    assert [2, 2, 1] == counts


def test_content_keyed_resume(services, tmp_path):
    """The key follows the files' bytes, not their place: unchanged is a no-op, changed is read again."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        written(folder / "a.jsonl", problems(1, 2))
    first, again = (run(services, folder, source("a.jsonl"))[0] for folder in (here, there))
    written(there / "a.jsonl", problems(1, 2, 3))
    changed = run(services, there, source("a.jsonl"))[0]
    assert (True, False, 3) == (again.cached, changed.cached, changed.counts["kept"])
    assert first.key == again.key != changed.key


def test_determinism(tmp_path, monkeypatch):
    """The size of the batches that are written changes no row."""
    written(tmp_path / "a.jsonl", problems(*range(50), *range(10)))
    hashes = set()
    for size in (1, 7, 1000):
        monkeypatch.setattr("curation.batches._ROWS", size)
        done = run(Services(Workspace(tmp_path / str(size))), tmp_path, source("a.jsonl"))[0]
        hashes.add(tuple(ref.content_hash for ref in done.tables.values()))
    assert 1 == len(hashes)


@settings(max_examples=8, deadline=None)
@given(
    rows=st.lists(json_values() | st.dictionaries(st.sampled_from(["question", "answer"]), json_values()), max_size=8)
)
def test_no_row_is_lost_whatever_it_holds(tmp_path_factory, rows):
    """Hostile JSON values become problems or rejections, one for one."""
    folder = tmp_path_factory.mktemp("rows")
    written(folder / "a.jsonl", [*problems(1), *rows])
    done = run(Services(Workspace(folder / "w")), folder, source("a.jsonl"))[0]
    assert len(rows) + 1 == done.counts["kept"] + done.counts["rejected"]


def test_datasets(services, tmp_path):
    """A folder that `datasets` saved, and one that it can load, are sources with a column map."""
    datasets = pytest.importorskip("datasets")
    rows = problems(1, 2, 3)
    datasets.Dataset.from_list(rows).save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "files").mkdir()
    written(tmp_path / "files" / "train.jsonl", rows)
    found = []
    for name in ("saved", "files"):
        columns = {"prompt": "question", "answer": "answer"}
        made = Source(name=name, kind="table", dataset=Dataset(name=name), verifier="exact", columns=columns)
        found.append(sorted(run(services, tmp_path, made)[1]["problem_id"]))
    assert 3 == len(found[0])
    assert found[0] == found[1]


def test_missing_dataset(tmp_path):
    """A data set that is not there is an error that names it."""
    pytest.importorskip("datasets")
    made = Source(name="s", kind="gsm8k", dataset=Dataset(name=str(tmp_path / "none")))
    with pytest.raises(InputError, match="cannot be loaded"):
        fingerprint(Sources(sources=(made,)), tmp_path)


REAL = {
    "humaneval.jsonl.gz": ("humaneval", 164, {}),
    "mbpp.jsonl.gz": ("mbpp", 974, {}),
    "gsm8k_train.jsonl.gz": ("gsm8k", 7473, {}),
    "gsm8k_test.jsonl.gz": ("gsm8k", 1319, {}),
    "math_train.json.gz": ("rllm", 7469, {"null_expected": 4, "duplicate_id": 1}),
    "math500_test.json.gz": ("math", 500, {}),
    "aime_train.json.gz": ("rllm", 975, {}),
    "aime24_test.json.gz": ("rllm", 30, {}),
    "leetcode_rllm_train.json.gz": ("rllm", 1889, {}),
    "leetcode_rllm_test.json.gz": ("rllm", 186, {"duplicate_id": 14}),
    "code_contests_test.json.gz": ("code_contests", 165, {}),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files(services, real_data, name):
    """Every row of the real files is accounted for, and the judge accepts every problem read."""
    kind, kept, reasons = REAL[name]
    done, rows, rejections = run(services, real_data / "rlvr", source(name, kind=kind))
    assert (kept, reasons) == (done.counts["kept"], dict(Counter(rejections["reason"])))
    kinds = {parse(verifier, tests).kind for verifier, tests in rows.select("verifier", "tests").iter_rows()}
    assert 1 == len(kinds)
