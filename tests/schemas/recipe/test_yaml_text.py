"""YAML of hostile or careless hands: refused with its line, at once, and without running anything."""

from __future__ import annotations

import pytest
import yaml

from schemas.errors import RecipeError
from schemas.recipe.yaml_text import read_yaml

_BOMB = "x0: &x0 [a, a]\n" + "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, 20))
_MERGED = "x0: &x0 {a: 1}\n" + "".join(
    f"x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 10)}]}}\n" for n in range(1, 20)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_BOMB, "recipe: its aliases stand for more than 1,000,000 values."),
        (_MERGED, "recipe: its aliases stand for more than 1,000,000 values."),
        ("a: &a {b: *a}", "recipe: its aliases stand for more than 1,000,000 values."),
        ("a: " + "[" * 5_000, "recipe: not valid YAML: it nests too deeply."),
        (
            "a: 1\nb: !!python/object/apply:os.system [ls]",
            "recipe:2: not valid YAML: could not determine a constructor",
        ),
        ("a: 1\nday: 2026-02-30", "recipe:2: not valid YAML: day is out of range for month."),
        ("a: 1\nn: " + "9" * 5_000, "recipe:2: not valid YAML: Exceeds the limit"),
        ("a: 1\nb: \0", "recipe:2: not valid YAML: character U+0000 is not allowed."),
        ("a: 1\n---\nb: 2", "recipe:2: not valid YAML: but found another document."),
        ("a: 1\nb: {c: 1,\n c: 2}", "recipe:3: b.c: given twice; keep one."),
        ("? [a, b]\n: 1", "recipe:1: not valid YAML: found unhashable key."),
    ],
)
def test_what_is_no_plain_tree_is_refused_with_its_line(text: str, said: str) -> None:
    """Bombs of aliases and merges, documents that hold themselves, tags, impossible dates, two keys of one name."""
    with pytest.raises(RecipeError) as told:
        read_yaml(text, "recipe", yaml.SafeLoader)

    assert told.value.message.startswith(said)


def test_an_alias_that_is_meant_is_read() -> None:
    """What stands in one place may be named in another."""
    root, data = read_yaml("a: &a [1, 2]\nb: *a", "recipe", yaml.SafeLoader)

    assert {"a": [1, 2], "b": [1, 2]} == data
    assert 1 == root.value[1][0].start_mark.line
