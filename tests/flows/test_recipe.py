"""Reading recipes: every fault at once, with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import InputError, RecipeError
from schemas.recipe.load import load_checkpoint, load_recipe, parse_recipe

_ROOT = Path(__file__).resolve().parents[2]
_SHIPPED = _ROOT / "recipes"
_SOUND = """
name: sound
sources:
  - {name: a, kind: gsm8k, path: a.jsonl}
rollouts:
  policies: [{backend: mutants}]
"""


@pytest.mark.parametrize("path", [*_SHIPPED.glob("*.yaml"), *_SHIPPED.glob("bands/*.yaml")], ids=lambda path: path.stem)
def test_every_recipe_shipped_is_valid(path: Path) -> None:
    """The recipes of the house read without a fault."""
    assert load_recipe(path).name


@pytest.mark.parametrize("path", _SHIPPED.glob("checkpoints/*.yaml"), ids=lambda path: path.stem)
def test_every_checkpoint_shipped_is_valid(path: Path) -> None:
    """A file with rollouts alone replaces those of a recipe."""
    assert load_checkpoint(parse_recipe(_SOUND), path).rollouts != parse_recipe(_SOUND).rollouts


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("sorces: []", "recipe:7: sorces: unknown key 'sorces'; did you mean 'sources'?"),
        ("dedup: {treshold: 0.7}", "recipe:7: dedup.treshold: unknown key 'treshold'; did you mean 'threshold'?"),
        ("dedup: {threshold: 7}", "recipe:7: dedup.threshold: Input should be less than or equal to 1 (got 7)"),
        ("dedup: {threshold: high}", "recipe:7: dedup.threshold: Input should be a valid number"),
        ("engine: cloud", "recipe:7: engine: Input should be 'local' or 'spark' (got 'cloud')"),
        ("engine: local\nengine: spark", "recipe:8: engine: given twice; keep one."),
        ("filters: {rules: [{name: bnad}]}", "recipe:7: filters.rules.0"),
        ("dedup: [", "recipe:8: not valid YAML"),
    ],
)
def test_a_fault_is_told_with_line_key_and_remedy(change: str, expected: str) -> None:
    """What is wrong, where it stands, and what was meant."""
    with pytest.raises(RecipeError) as error:
        parse_recipe(_SOUND.lstrip() + "\n" + change + "\n")

    assert expected in str(error.value)


def test_all_faults_are_told_at_once() -> None:
    """A person mends a recipe once, not once per fault."""
    with pytest.raises(RecipeError) as error:
        parse_recipe("name: Bad Name\nsources: []\nengine: cloud\n")

    assert {"recipe:1: name", "recipe:2: sources", "recipe:3: engine", "recipe:1: rollouts"} == {
        ":".join(problem.split(":")[:3]) for problem in error.value.problems
    }


def test_verify_is_handed_down() -> None:
    """What `verify` says holds wherever answers are judged, unless a section says otherwise."""
    recipe = parse_recipe(_SOUND + "verify: {time_limit_s: 7}\ngold: {verify: {time_limit_s: 3}}\n")

    assert (7, 3) == (recipe.rollouts.verify.time_limit_s, recipe.gold.verify.time_limit_s)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    """An empty file or a list is told for what it is."""
    with pytest.raises(RecipeError, match="a recipe is a mapping of keys"):
        parse_recipe(text)


def test_a_missing_recipe_and_one_that_is_no_text_are_refused(tmp_path: Path) -> None:
    """A path that leads nowhere, or to bytes that are no text, is named."""
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "absent.yaml")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        load_recipe(tmp_path / "bytes.yaml")
