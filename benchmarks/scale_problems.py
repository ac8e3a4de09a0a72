"""Made problems for the whole job, with planted duplicates and benchmark items, and a recipe that reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

SEED = 7
BLOCK, GROUPS = 100, 95
SAME, EXACT, NEAR = 1, 2, 2
ITEM_EVERY, ITEM_AT = 475, 7
ITEMS = {"mathematics": 500, "word_problems": 1319, "functions": 164}
SKEW, WORDS = 3, (60, 150)
AT_ONCE = 10_000
TOPIC = pl.col("group") % 12
BEFORE = "Solve the following problem and explain every step."
AFTER = "Put your final answer in \\boxed{}."
RECIPE = {
    "name": "scale",
    "sources": [
        {
            "name": "answers",
            "kind": "table",
            "verifier": "exact",
            "path": "answers.jsonl",
            "license": "CC0-1.0",
            "columns": {"id": "id", "prompt": "prompt", "answer": "answer", "tags": "tags"},
        },
        {
            "name": "programs",
            "kind": "table",
            "verifier": "stdio",
            "path": "programs.parquet",
            "license": "CC0-1.0",
            "columns": {"id": "id", "prompt": "prompt", "inputs": "inputs", "outputs": "outputs", "tags": "tags"},
        },
    ],
    "decontaminate": {
        "benchmarks": [
            {
                "name": name,
                "kind": "table",
                "verifier": "exact",
                "path": f"{name}.jsonl",
                "columns": {"id": "id", "prompt": "prompt", "answer": "answer"},
            }
            for name in ITEMS
        ]
    },
    "rollouts": {"policies": [{"backend": "mutants", "name": "synthetic"}]},
    "filters": {
        "rules": [
            {"name": "min_tests", "at_least": 1},
            {"name": "form", "forms": ["proof", "multiple_choice", "figure", "url"]},
            {"name": "unsolved", "action": "flag"},
            {"name": "saturated", "action": "flag"},
        ]
    },
    "curricula": {"drive": {}},
    "publish": {"exports": ["verl-rl"]},
}


def _word(number: int) -> str:
    """Return a word of the vocabulary; every 29th is a number."""
    if number % 29 == 0:
        return str(number)
    letters, text, rest = "etaoinshrdlucmfwypvb", "", number * 7 + 401
    while rest:
        rest, one = divmod(rest, len(letters))
        text += letters[one]
    return text


VOCABULARY = [_word(number) for number in range(30_000)]


def words(draw: np.random.Generator) -> list[str]:
    """Return a prompt's words, 300 to 1,000 characters of them, some far more often than others."""
    chosen = len(VOCABULARY) * draw.random(draw.integers(*WORDS)) ** SKEW
    return [VOCABULARY[number] for number in chosen.astype(int).tolist()]


def items() -> Iterator[tuple[str, str]]:
    """Yield benchmark and text of each benchmark item."""
    draw = np.random.default_rng([SEED, 0])
    for name, count in ITEMS.items():
        yield from ((name, " ".join(words(draw))) for _ in range(count))


def problems(rows: int) -> Iterator[list[tuple[str, str]]]:
    """Yield batches of ids and prompts: in every hundred one problem twice, two in capitals, two with a word changed.

    An id names what was planted, and the group of which one row must be left.
    """
    known = [text for _, text in items()]
    for start in range(0, rows * GROUPS // BLOCK, AT_ONCE * GROUPS // BLOCK):
        draw = np.random.default_rng([SEED, 1, start])
        batch, copies = [], []
        for group in range(start, start + min(AT_ONCE, rows) * GROUPS // BLOCK):
            item = group // ITEM_EVERY if group % ITEM_EVERY == ITEM_AT else len(known)
            kind, text = ("item", known[item].split()) if item < len(known) else ("plain", words(draw))
            batch.append((f"{kind}-{group}", _framed(text, framed=group % 3 == 0)))
            copies += [(f"{name}-{group}", _framed(copy, group % 3 == 0)) for name, copy in _copies(group, text)]
        yield batch + copies


def _framed(text: list[str], framed: bool) -> str:  # noqa: FBT001 - one of two forms
    joined = " ".join(text)
    return f"{BEFORE}\n\n{joined}\n\n{AFTER}" if framed else joined


def _copies(group: int, text: list[str]) -> Iterator[tuple[str, list[str]]]:
    place = group % GROUPS - ITEM_AT - 1
    if 0 <= place < SAME:
        yield "same", text
    elif SAME <= place < SAME + EXACT:
        yield "exact", [word.upper() for word in text]
    elif SAME + EXACT <= place < SAME + EXACT + NEAR:
        middle = next(at for at in range(len(text) // 2, len(text)) if text[at].isalpha())
        yield "near", [*text[:middle], "altered", *text[middle + 1 :]]


def write_inputs(folder: Path, rows: int) -> None:
    """Write recipe, sources and benchmarks: even groups as JSON lines, odd ones as Parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    benchmarks = pl.DataFrame(list(items()), schema=["benchmark", "prompt"], orient="row").with_row_index("id")
    for name in ITEMS:
        benchmarks.filter(benchmark=name).with_columns(answer="id").write_ndjson(folder / f"{name}.jsonl")
    parts = []
    with (folder / "answers.jsonl").open("wb") as answers:
        for number, batch in enumerate(problems(rows)):
            table = pl.DataFrame(batch, schema=["id", "prompt"], orient="row").with_columns(
                group=pl.col("id").str.extract(r"(\d+)").cast(pl.Int64),
            )
            table = table.with_columns(answer=pl.col("group"), tags=pl.concat_str(pl.lit("topic "), TOPIC))
            table.filter(pl.col("group") % 2 == 0).drop("group").write_ndjson(answers)
            tests = pl.concat_list(pl.concat_str("answer", pl.lit("\n")), pl.concat_str("answer", pl.lit("0\n")))
            programs = table.filter(pl.col("group") % 2 == 1).with_columns(inputs=tests, outputs=tests)
            parts.append(folder / f"part-{number:04}.parquet")
            programs.drop("group", "answer").write_parquet(parts[-1])
    pl.scan_parquet(parts).sink_parquet(folder / "programs.parquet")
    for part in parts:
        part.unlink()
    (folder / "recipe.yaml").write_text(json.dumps(RECIPE))
