"""The stage decontaminate, and what it is built of."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.decontaminate import DECONTAMINATE, removed_by_rule
from curation.decontaminate.grams import gram_index, grams
from curation.decontaminate.stage import decontaminate
from curation.decontaminate.texts import plain_words, prepared, template_lines
from curation.sources.resolve import fingerprint
from curation.sources.stage import READ
from schemas.recipe.decontaminate import Boilerplate, Decontaminate, Template
from schemas.recipe.sources import Source, Sources, Where
from schemas.records import PROBLEM
from tests.tables import problem
from warehouse.runner import run_stage

SCHEMA = pl.Schema(PROBLEM.arrow)
ITEM = "A farmer keeps 12 hens and 5 goats; how many legs do all the animals of the farmer have together?"
RAW = "Solve the task below with care and show all of the steps of your work."


@pytest.fixture
def services(services, tmp_path):
    """Services whose scratch goes with the test."""
    return replace(services, scratch=tmp_path)


def table(texts, source="train"):
    """Return problems that ask ``texts``."""
    rows = [
        problem(n, prompt=[{"role": "user", "content": text}], source=source, source_id=f"{source}-{n}")
        for n, text in enumerate(texts)
    ]
    return pl.LazyFrame(rows, schema=SCHEMA)


def found(services, train, items, **config):
    """Return decisions by source id as (reason, measured), and the hits."""
    rows = train if isinstance(train, pl.LazyFrame) else table(train)
    result = decontaminate({"rows": rows, "benchmarks": table(items, "bench")}, Decontaminate(**config), services)
    decisions = result.decisions.join(rows.select("source_id", record_id="problem_id"), on="record_id").collect()
    reasons = {row["source_id"]: (row["reason"], row["measured"]) for row in decisions.rows(named=True)}
    return reasons, result.outputs["hits"].collect()


def test_exact_despite_dress(services):
    """Case, spaces and punctuation do not hide an item."""
    reasons, hits = found(
        services, ["Other words entirely here.", ITEM.upper().replace(" ", "  ").replace(";", ",")], [ITEM]
    )
    assert {"train-1": ("contaminated_exact", 1.0)} == reasons
    assert {("bench", "bench-0")} == set(hits.filter("drops").select("benchmark", "item_source_id").rows())


def test_containment_inside_a_longer_prompt(services):
    """An item inside another text is found, and the evidence is the stretch that matches."""
    reasons, hits = found(services, [f"{RAW} {ITEM} Answer with a number."], [ITEM])
    assert {"train-0": ("contaminated_containment", 1.0)} == reasons
    matched = hits.filter(rule="containment")["matched"].item()
    assert "a farmer keeps 12 hens and 5 goats how many legs" in matched


def test_containment_measures_the_share_of_the_item(services):
    """Half of an item scores half, and the threshold of the recipe decides."""
    words = [f"word{chr(97 + i)}" for i in range(24)]
    half = " ".join([*words[:14], "and", "then", "something", "else"])
    assert {} == found(services, [half], [" ".join(words)], containment=0.51)[0]
    reasons, _ = found(services, [half], [" ".join(words)], containment=0.5)
    assert {"train-0": ("contaminated_containment", 0.5)} == reasons


def test_other_numbers_are_another_problem(services):
    """The same question about other numbers is reported, and dropped only on request."""
    sibling = ITEM.replace("12 hens", "40 hens")
    reasons, hits = found(services, [sibling], [ITEM])
    assert ({}, 1) == (reasons, hits.filter(rule="other_numbers").height)
    assert ["train-0"] == list(found(services, [sibling], [ITEM], same_numbers=False)[0])


def test_short_items_are_found_whole(services):
    """An item shorter than a run of words is found where it is most of the problem, not where it is a part."""
    train = ["Now: what is 17 times 3?", f"{ITEM} And what is 17 times 3 when the goats are sold to another farmer?"]
    reasons, _ = found(services, train, ["What is 17 times 3?"])
    assert {"train-0": ("contaminated_short", 5 / 6)} == reasons


def test_shared_template_is_no_contamination(services):
    """A template around every problem flags nothing by itself, where the rule of any shared n-gram flags all."""
    noun = [f"thing{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(60)]
    asked = [f"Count the {one} of each {other}." for one, other in pairwise(noun)]
    dressed = [f"{RAW}\n\n{text}\n\nGive your final answer as one line." for text in asked]
    reasons, hits = found(services, dressed[:40], dressed[40:])
    assert ({}, 40) == (reasons, hits.filter(rule="any_8_gram").height)


def test_an_item_is_found_in_another_template(services):
    """Templates of both sides are cut before the comparison."""
    others = [f"Tell the story of hero{chr(97 + i)} and of village{chr(97 + i)}." for i in range(20)]
    train = [f"{RAW}\n\n{text}" for text in [*others, ITEM]]
    reasons, _ = found(services, train, [ITEM, *(f"Compare town{i} with city{i} now." for i in range(5))])
    assert {"train-20": ("contaminated_exact", 1.0)} == reasons


def test_boilerplate_is_no_contamination(services):
    """The habit of asking for m + n is not evidence, as a phrase of the recipe or by its frequency."""
    ask = "where m and n are relatively prime positive integers. Find m + n."
    names = [f"alpha{chr(97 + i)}" for i in range(26)]
    train = [f"The area of {name} can be written as m/n {ask}" for name in names[:13]]
    items = [f"The chance of {name} can be written as m/n {ask}" for name in names[13:]]
    assert {} == found(services, train, items)[0]
    frequent = Boilerplate(phrases=(), max_items=5)
    assert {} == found(services, train, items, boilerplate=frequent, containment=0.3)[0]
    blind = Boilerplate(phrases=(), max_items=100, max_share=1)
    assert 13 == len(found(services, train, items, boilerplate=blind, containment=0.3)[0])


def test_items_in_two_benchmarks_are_no_boilerplate(services):
    """One item in many benchmarks is still found, once per benchmark."""
    rows = [
        problem(
            n, prompt=[{"role": "user", "content": ITEM}], source=f"bench{n}", tests=json.dumps([{"answer": str(n)}])
        )
        for n in range(15)
    ]
    inputs = {"rows": table([f"{RAW} {ITEM}"]), "benchmarks": pl.LazyFrame(rows, schema=SCHEMA)}
    result = decontaminate(inputs, Decontaminate(), services)
    assert (1, 15) == (result.decisions.collect().height, result.outputs["hits"].filter("drops").collect().height)


def test_evidence_of_a_decision(services):
    """A drop names the item as witness, and the benchmark, its revision and the matching text in its detail."""
    inputs = {"rows": table([ITEM]), "benchmarks": table([ITEM], "bench").with_columns(source_revision=pl.lit("v1"))}
    (decision,) = decontaminate(inputs, Decontaminate(), services).decisions.collect().rows(named=True)
    detail = json.loads(decision["detail"])
    assert table([ITEM], "bench").collect()["problem_id"].item() == decision["witness"]
    assert ("bench", "v1", "bench-0") == tuple(detail[k] for k in ("benchmark", "benchmark_revision", "item_source_id"))
    assert detail["matched"].startswith("a farmer keeps 12 hens")


def test_without_benchmarks_nothing_is_looked_for(services):
    """No benchmarks, no decisions."""
    result = decontaminate({"rows": table([ITEM])}, Decontaminate(), services)
    assert (0, 0) == (result.decisions.collect().height, result.outputs["hits"].collect().height)


def test_reported_rules_never_drop(services):
    """The rules of others tell what they would remove; only the recipe's own rules remove."""
    shared = "one two three four five six seven eight"
    train = [f"{shared} {' '.join(f'left{chr(97 + i)}' for i in range(20))}"]
    items = [f"{shared} {' '.join(f'right{chr(97 + i)}' for i in range(20))}"]
    reasons, hits = found(services, train, items, report=("any_8_gram", "any_13_gram", "fuzz_95"))
    assert ({}, [("any_8_gram", False)]) == (reasons, hits.select("rule", "drops").rows())


def test_summary_of_rules(services):
    """Per rule: problems found, those that no dropping rule finds besides it, and the benchmarks."""
    sibling = ITEM.replace("12 hens", "40 hens")
    _, hits = found(services, [ITEM, f"{RAW} {ITEM}", sibling], [ITEM], report=("any_8_gram",))
    summary = removed_by_rule(hits.lazy())
    expected = [
        ("containment", True, 2, 1),
        ("exact", True, 1, 0),
        ("any_8_gram", False, 3, 1),
        ("other_numbers", False, 1, 1),
    ]
    assert expected == summary.select("rule", "drops", "problems", "alone").rows()
    assert [{"benchmark": "bench", "problems": 2}] == summary["benchmarks"][0].to_list()


def test_fuzz_finds_near_equals(services):
    """The ratio of OpenThoughts finds a text with one letter changed."""
    pytest.importorskip("rapidfuzz")
    _, hits = found(services, [ITEM.replace("hens", "hins")], [ITEM], report=("fuzz_95",))
    assert 95 <= hits.filter(rule="fuzz_95")["score"].item() < 100


def test_determinism(services, monkeypatch):
    """Neither the order of the rows nor the size of the batches changes a hit."""
    draw = random.Random(3)
    vocabulary = [f"w{i}" for i in range(30)]
    items = [" ".join(draw.choices(vocabulary, k=draw.randint(2, 30))) for _ in range(30)]
    train = [*items[:10], *(" ".join(draw.choices(vocabulary, k=25)) for _ in range(60))]
    rows, seen = table(train), []
    for size, seed in ((1000, 0), (7, 1), (3, 2)):
        monkeypatch.setattr("curation.decontaminate.stage._BATCH", size)
        shuffled = rows.collect().sample(fraction=1, shuffle=True, seed=seed).lazy()
        _, hits = found(services, shuffled, items, same_numbers=False)
        seen.append(hits.sort("problem_id", "rule", "benchmark").rows())
    assert seen[0]
    assert seen[0] == seen[1] == seen[2]


def test_sample_is_the_same_in_any_order(services):
    """With fewer sampled rows than there are, templates still follow from content alone."""
    train = [f"{RAW}\n\nCount item{chr(97 + i % 26)}{chr(97 + i // 26)} again." for i in range(50)]
    rows = table(train).collect()
    config = {"template": Template(sample=15, min_rows=5)}
    results = [found(services, part.lazy(), [train[0]], **config)[0] for part in (rows, rows.reverse())]
    assert results[0] == results[1]


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from("abc"), max_size=9), min_size=1, max_size=6), st.integers(1, 4))
def test_grams_agree_with_a_plain_count(rows, n):
    """Every run of every row is there once, in order, and equal runs alone have equal numbers."""
    expected = [(r, s, tuple(words[s : s + n])) for r, words in enumerate(rows) for s in range(len(words) - n + 1)]
    made = grams(pl.Series(rows, dtype=pl.List(pl.String)), n)
    assert [(r, s) for r, s, _ in expected] == list(zip(made.row.tolist(), made.start.tolist(), strict=True))
    names = {}
    for (_, _, run), key in zip(expected, made.key.tolist(), strict=True):
        assert names.setdefault(run, key) == key
    assert len(names) == len(set(names.values()))


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=8), min_size=1, max_size=6), st.integers(1, 3))
def test_index_finds_the_items_of_every_run(items, n):
    """The index gives exactly the items that hold a run, and their sizes."""
    words = pl.Series(items, dtype=pl.List(pl.String))
    index, all_runs = gram_index(words, n), grams(words, n)
    place, number = index.find(all_runs.key)
    assert list(range(len(all_runs.key))) == place.tolist()
    within, owner = index.owners(number)
    runs = [{tuple(row[s : s + n]) for s in range(len(row) - n + 1)} for row in items]
    assert [len(run) for run in runs] == index.sizes.tolist()
    spoken = [tuple(items[r][s : s + n]) for r, s in zip(all_runs.row, all_runs.start, strict=True)]
    expected = [(i, j) for i, run in enumerate(spoken) for j, held in enumerate(runs) if run in held]
    assert expected == list(zip(within.tolist(), owner.tolist(), strict=True))


def test_unknown_runs_are_not_found():
    """A run that no item holds is not found, nor in an empty index."""
    words = pl.Series([["a", "b", "c"]])
    assert 0 == len(gram_index(words, 2).find(np.array([7], np.uint64))[0])
    assert 0 == len(gram_index(words, 5).find(grams(words, 2).key)[0])


def test_templates_are_counted_over_different_texts():
    """A text repeated many times is no template; a line in many different texts of one source is."""
    texts = [f"Shared line.\nOwn line {chr(97 + i)}" for i in range(12)] + ["Repeated whole\nin two lines"] * 40
    lines = template_lines(pl.DataFrame({"source": "s", "text": texts}), Template())
    assert ["shared line."] == lines.to_list()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Find f(x)=x^2.\n```python\ndef f(x):\n```", "find f x = x ^ 2"),
        ("Sort a list of names.\nassert f([2]) == [2]", "sort a list of names"),
        ("Sort a list of names.\n\nExample 1:\nInput: x\n\nConstraints:\n1 <= n", "sort a list of names"),
        ("Sort a list of names.\n>>> f([2])\n[2]\nAt once.", "sort a list of names at once"),
        ("time limit per test: 1 second\nSort a list of names.", "sort a list of names"),
        ("```only code here```", "only code here"),
    ],
)
def test_what_is_cut(text, words):
    """Blocks that say nothing about the problem are cut, unless nothing would remain."""
    frame = pl.DataFrame({"text": [text]})
    made = prepared(frame, pl.Series([], dtype=pl.String), Decontaminate())
    assert words.split() == made["words"].item().to_list()


def test_patterns_of_the_recipe_are_cut():
    """A recipe's own expressions are cut too."""
    config = Decontaminate(template=Template(patterns=(r"\[asy\](?s:.*?)\[/asy\]",)))
    made = prepared(
        pl.DataFrame({"text": ["How wide is it? [asy] draw\n(a); [/asy]"]}), pl.Series([], dtype=pl.String), config
    )
    assert ["how", "wide", "is", "it"] == made["words"].item().to_list()


@given(st.text())
def test_words_do_not_depend_on_dress(text):
    """Words are the same in any case-folded, re-spaced form of a text."""
    dressed = "\t".join(text.lower().split())
    one, other = (pl.select(plain_words(pl.lit(t).str.to_lowercase())).item().to_list() for t in (text, dressed))
    assert one == other


def real(services, folder, name, kind, **where):
    """Read a real file."""
    chosen = Where(column="task_id", **where) if where else None
    source = Source(name=name, kind=kind, path=name, where=chosen)
    return run_stage(READ, {}, fingerprint(Sources(sources=(source,)), folder / "rlvr"), services).rows


def dropped(services, rows, items):
    """Run the stage with its defaults and return the counts of drops and the kept side's size."""
    run = run_stage(DECONTAMINATE, {"rows": rows, "benchmarks": items}, Decontaminate(), services)
    return run.counts["dropped"], services.workspace.scan(run.tables["dropped"]).collect()


def test_aime_in_math500(services, real_data):
    """All AIME problems that stand in MATH-500 word for word are found, and those that differ in punctuation."""
    rows = real(services, real_data, "aime_train.json.gz", "rllm")
    items = real(services, real_data, "math500_test.json.gz", "math")
    counts, out = dropped(services, rows, items)
    wordings = {" ".join(p[0]["content"].lower().split()) for p in services.workspace.scan(items).collect()["prompt"]}
    verbatim = [p for p in out["prompt"] if " ".join(p[0]["content"].lower().split()) in wordings]
    assert ({"contaminated_exact": 6, "contaminated_containment": 2}, 3) == (counts, len(verbatim))


def test_mbpp_train_in_its_test(services, real_data):
    """The three tasks of MBPP's training part that its test part repeats are found."""
    rows = real(services, real_data, "mbpp.jsonl.gz", "mbpp", low=601, high=974)
    items = real(services, real_data, "mbpp.jsonl.gz", "mbpp", low=11, high=510)
    assert 3 == dropped(services, rows, items)[0]["contaminated_exact"]


def test_leetcode_template_flags_nothing(services, real_data):
    """LeetCode's training set shares its template with its test set, and no problem."""
    rows = real(services, real_data, "leetcode_rllm_train.json.gz", "rllm")
    items = real(services, real_data, "leetcode_rllm_test.json.gz", "rllm")
    assert {} == dropped(services, rows, items)[0]
